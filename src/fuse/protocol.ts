/**
 * The FUSE wire format: numbers, offsets and sizes, no logic. Everything is little-endian here, as on every machine
 * that Node supports; offsets of bodies count from the start of the message, header included.
 *
 * @see include/uapi/linux/fuse.h of Linux, version 7.38
 */

export const FUSE_MAJOR = 7
/** The version spoken; an older kernel is answered with its own. */
export const FUSE_MINOR = 38
/** Below it struct fuse_init_out and others have another size (7.23 is Linux 3.15). */
export const FUSE_OLDEST_MINOR = 23

export const FUSE_ROOT_ID = 1

export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
} as const

/** Flags of INIT, of bits 0 to 31. */
export const InitFlag = {
  ASYNC_READ: 1 << 0,
  BIG_WRITES: 1 << 5,
  AUTO_INVAL_DATA: 1 << 12,
  ASYNC_DIO: 1 << 15,
  WRITEBACK_CACHE: 1 << 16,
  PARALLEL_DIROPS: 1 << 18,
  ABORT_ERROR: 1 << 21,
  MAX_PAGES: 1 << 22,
  INIT_EXT: 1 << 30,
} as const

/** Flags of INIT, of bits 32 to 63, as they lie in flags2. */
export const InitFlag2 = {
  DIRECT_IO_ALLOW_MMAP: 1 << 4,
} as const

/** What the reply to OPEN says of the page cache. */
export const OpenFlag = {
  DIRECT_IO: 1 << 0,
  KEEP_CACHE: 1 << 1,
  PARALLEL_DIRECT_WRITES: 1 << 6,
} as const

/** Which fields of SETATTR count. */
export const SetattrValid = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  CTIME: 1 << 10,
} as const

/** struct fuse_in_header, before every request. */
export const InHeader = {
  length: 0, // u32, header included
  opcode: 4, // u32
  unique: 8, // u64
  node: 16, // u64
  uid: 24, // u32
  gid: 28, // u32
  pid: 32, // u32
  SIZE: 40,
} as const

/** struct fuse_out_header, before every reply. */
export const OutHeader = {
  length: 0, // u32, header included
  error: 4, // i32: 0 or a negative errno, above -512
  unique: 8, // u64
  SIZE: 16,
} as const

/** The kernel refuses a reply with an errno of this or more. */
export const ERRNO_LIMIT = 512

export const InitIn = {
  major: 40,
  minor: 44,
  maxReadahead: 48,
  flags: 52,
  flags2: 56,
  SIZE: 56,
  EXT_SIZE: 104,
} as const

export const InitOut = {
  major: 16, // u32
  minor: 20, // u32
  maxReadahead: 24, // u32, bytes
  flags: 28, // u32
  maxBackground: 32, // u16
  congestionThreshold: 34, // u16
  maxWrite: 36, // u32, bytes
  timeGranularity: 40, // u32, nanoseconds
  maxPages: 44, // u16
  mapAlignment: 46, // u16
  flags2: 48, // u32
  SIZE: 80,
} as const

/** struct fuse_attr; offsets from its own start. */
export const Attr = {
  inode: 0, // u64
  size: 8, // u64
  blocks: 16, // u64, of 512 bytes
  atime: 24, // u64, seconds
  mtime: 32, // u64
  ctime: 40, // u64
  atimeNanoseconds: 48, // u32
  mtimeNanoseconds: 52, // u32
  ctimeNanoseconds: 56, // u32
  mode: 60, // u32
  links: 64, // u32
  uid: 68, // u32
  gid: 72, // u32
  rdev: 76, // u32
  blockSize: 80, // u32
  flags: 84, // u32
  SIZE: 88,
} as const

/** struct fuse_attr_out, the reply to GETATTR and SETATTR. */
export const AttrOut = { valid: 16, validNanoseconds: 24, attr: 32, SIZE: 120 } as const

/** struct fuse_entry_out, the reply to LOOKUP. */
export const EntryOut = {
  node: 16, // u64
  generation: 24, // u64
  entryValid: 32, // u64, seconds
  attrValid: 40, // u64, seconds
  entryValidNanoseconds: 48, // u32
  attrValidNanoseconds: 52, // u32
  attr: 56,
  SIZE: 144,
} as const

export const SetattrIn = {
  valid: 40, // u32
  handle: 48, // u64
  size: 56, // u64
  atime: 72, // u64
  mtime: 80, // u64
  ctime: 88, // u64
  atimeNanoseconds: 96, // u32
  mtimeNanoseconds: 100, // u32
  ctimeNanoseconds: 104, // u32
  mode: 108, // u32
  uid: 116, // u32
  gid: 120, // u32
  SIZE: 128,
} as const

export const OpenIn = { flags: 40, SIZE: 48 } as const
export const OpenOut = { handle: 16, flags: 24, SIZE: 32 } as const

/** struct fuse_read_in; READDIR has the same. */
export const ReadIn = { handle: 40, offset: 48, size: 56, SIZE: 80 } as const

/** struct fuse_write_in; the data follow. */
export const WriteIn = { handle: 40, offset: 48, size: 56, SIZE: 80 } as const
export const WriteOut = { size: 16, SIZE: 24 } as const

export const ReleaseIn = { handle: 40, flags: 48, SIZE: 64 } as const
export const FlushIn = { handle: 40, SIZE: 64 } as const
export const FsyncIn = { handle: 40, SIZE: 56 } as const
export const FallocateIn = { handle: 40, offset: 48, length: 56, mode: 64, SIZE: 72 } as const
export const LseekIn = { handle: 40, offset: 48, whence: 56, SIZE: 64 } as const
export const LseekOut = { offset: 16, SIZE: 24 } as const

/** struct fuse_ioctl_in and _out; data follow both. */
export const IoctlIn = { handle: 40, flags: 48, command: 52, inSize: 64, outSize: 68, SIZE: 72 } as const
export const IoctlOut = { result: 16, flags: 20, SIZE: 32 } as const

/** What a message is that answers no request (its unique number is 0); in the place of the error. */
export const NotifyCode = { INVAL_INODE: 2 } as const

/** struct fuse_notify_inval_inode_out. */
export const NotifyInvalInode = { inode: 16, offset: 24, length: 32, SIZE: 40 } as const

/** struct fuse_statfs_out. */
export const StatfsOut = {
  blocks: 16, // u64
  blocksFree: 24, // u64
  blocksAvailable: 32, // u64
  files: 40, // u64
  filesFree: 48, // u64
  blockSize: 56, // u32
  nameLength: 60, // u32
  fragmentSize: 64, // u32
  SIZE: 96,
} as const

/** struct fuse_dirent; records are padded to a multiple of ALIGNMENT. */
export const Dirent = { inode: 0, offset: 8, nameLength: 16, type: 20, name: 24, ALIGNMENT: 8 } as const
export const DirentType = { DIRECTORY: 4, REGULAR: 8 } as const

/** _IOR(229, 0, uint32_t): makes a fresh descriptor of /dev/fuse a second one of the connection given. */
export const FUSE_DEV_IOC_CLONE = 0x8004e500
