import { once } from 'node:events'

/**
 * What goes to stdout. Each call ends when the text has been taken, so that a long listing costs no memory, and
 * a reader that has seen enough (`rawmount map … | head`) or a full disk ends the command.
 */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

export async function printJson(value: unknown): Promise<void> {
  await print(`${JSON.stringify(value, null, 4)}\n`)
}
