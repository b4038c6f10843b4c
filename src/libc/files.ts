import { declare } from './library.js'

/**
 * Calls on open files. Each returns what the C function returns (-1 on failure, see lastErrno); addresses,
 * lengths and offsets are plain numbers. @see man 2 pread, fallocate, lseek
 */
export const pread = declare('intptr_t pread(int fd, intptr_t buffer, size_t length, int64_t offset)')
export const pwrite = declare('intptr_t pwrite(int fd, intptr_t buffer, size_t length, int64_t offset)')
export const read = declare('intptr_t read(int fd, intptr_t buffer, size_t length)')
export const write = declare('intptr_t write(int fd, intptr_t buffer, size_t length)')
export const fdatasync = declare('int fdatasync(int fd)')
export const syncFileRange = declare(
  'int sync_file_range(int fd, int64_t offset, int64_t length, unsigned int flags)',
)
export const truncate = declare('int truncate(const char *path, int64_t length)')
export const ftruncate = declare('int ftruncate(int fd, int64_t length)')
export const fallocate = declare('int fallocate(int fd, int mode, int64_t offset, int64_t length)')
export const lseek = declare('int64_t lseek(int fd, int64_t offset, int whence)')

export const dup2 = declare('int dup2(int from, int to)')

/** fallocate modes and lseek origins, from linux/falloc.h and linux/fs.h. */
export const FALLOC_FL_KEEP_SIZE = 0x01
export const FALLOC_FL_PUNCH_HOLE = 0x02
export const FALLOC_FL_ZERO_RANGE = 0x10
/** sync_file_range: begin to write dirty pages, and wait for none. A length of 0 reaches to the end. */
export const SYNC_FILE_RANGE_WRITE = 2
export const SEEK_SET = 0
export const SEEK_END = 2
export const SEEK_DATA = 3
export const SEEK_HOLE = 4

/** Paths as text; descriptors may be AT_FDCWD. @see man 2 linkat */
export const linkat = declare(
  'int linkat(int fromDirectory, const char *from, int toDirectory, const char *to, int flags)',
)
export const AT_FDCWD = -100
export const AT_SYMLINK_FOLLOW = 0x400
