/**
 * A GUID as text, in lower case as Linux writes it. The first three groups are little-endian, the others bytes
 * in order.
 *
 * @see UEFI specification 2.10, appendix A
 */
export function guidText(bytes: Uint8Array, at: number): string {
  const hex = ORDER.map(index => bytes[at + index]!.toString(16).padStart(2, '0')).join('')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]

export const NO_GUID = '00000000-0000-0000-0000-000000000000'
