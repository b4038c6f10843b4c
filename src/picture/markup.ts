/**
 * Text for SVG and HTML, in elements and in double-quoted attributes. Names come from strangers: what neither may hold, and
 * what would turn the reading direction around, is shown as its number.
 */
export function escapeMarkup(text: string): string {
  return text
    .toWellFormed()
    .replace(UNSHOWABLE, character => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

const UNSHOWABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not get out
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]/g

/** JSON that cannot end the script element it stands in. */
export function jsonInMarkup(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, character => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** With an ellipsis in the middle where it is longer than `most` characters. */
export function shortened(text: string, most: number): string {
  const characters = [...text]
  if (characters.length <= most) return text
  const half = Math.floor((most - 1) / 2)
  return `${characters.slice(0, most - 1 - half).join('')}…${characters.slice(-half).join('')}`
}
