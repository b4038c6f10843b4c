/**
 * Requests and replies of /dev/fuse, packed by hand from linux/fuse.h and without a look at src/fuse/protocol.ts, so
 * that the one checks the other.
 */
type Field = readonly [bits: 16 | 32 | 64, value: number] | Uint8Array | string

export function pack(...fields: Field[]): Uint8Array {
  const parts = fields.map(field => {
    if (typeof field === 'string') return Buffer.from(`${field}\0`)
    if (field instanceof Uint8Array) return field
    const part = Buffer.alloc(field[0] / 8)
    if (field[0] === 16) part.writeUInt16LE(field[1])
    if (field[0] === 32) part.writeInt32LE(field[1] | 0)
    if (field[0] === 64) part.writeBigInt64LE(BigInt(field[1]))
    return part
  })
  return Buffer.concat(parts)
}

export const u16 = (value: number): Field => [16, value]
export const u32 = (value: number): Field => [32, value]
export const u64 = (value: number): Field => [64, value]

/** struct fuse_in_header and what follows it. */
export function request(opcode: number, inode: number, ...fields: Field[]): Uint8Array {
  const body = pack(...fields)
  const header = [
    u32(40 + body.length),
    u32(opcode),
    u64(UNIQUE),
    u64(inode),
    u32(0),
    u32(0),
    u32(99),
    u32(0),
  ]
  return pack(...header, body)
}

/** Above 2^32, so that both halves matter. */
export const UNIQUE = 0x1_2345_6789

/** struct fuse_out_header and what follows it. */
export function reply(error: number, ...fields: Field[]): Uint8Array {
  const body = pack(...fields)
  return pack(u32(16 + body.length), u32(error), u64(UNIQUE), body)
}
