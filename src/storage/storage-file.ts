import type { IoBuffer } from '../libc/io-buffer.js'
import type { OpenedRemote } from './http/http-client.js'

/**
 * A file that holds an image, or part of one. Everything above moves bytes through this face, so that the
 * tests can put a simulated disk with lost, torn and failing writes behind it.
 *
 * All calls are synchronous; offsets and lengths are bytes; failures throw a SystemError with the errno. An
 * object belongs to one thread; the file behind it may be attached in many (see FileDescription).
 */
export interface StorageFile {
  /** As the user or a header named it, for messages. */
  readonly path: string
  readonly writable: boolean
  /** The bytes are made when they are read: offsets are no places in the file at `path`. Absent = false. */
  readonly computed?: boolean

  /** Reads up to `length` bytes to `buffer` at `at`. Fewer come only at the end of the file. */
  read(buffer: IoBuffer, at: number, length: number, offset: number): number
  /** Writes all `length` bytes or throws. Not durable before the next sync(). */
  write(buffer: IoBuffer, at: number, length: number, offset: number): void
  /** Barrier: when it returns, all that was written before is on the medium. */
  sync(): void
  /**
   * A hint: what was written may begin to go to the medium, as a sync() will come. Waits for nothing, fails for nothing.
   * Absent where there is nothing to begin.
   */
  beginSync?(): void
  /** Makes the range read as zeros, giving its storage back where the file system can. Keeps the size. */
  zero(offset: number, length: number): void
  size(): number
  truncate(size: number): void
  /**
   * The end of the stretch that starts at `offset`: of the hole when `hole` is true, else of the data. Returns
   * `offset` itself when it lies in the other kind, and the file's size for the last stretch. A system that
   * cannot tell calls everything data.
   */
  stretch(offset: number, hole: boolean): number
  /** Bytes of storage that the file occupies. */
  allocated(): number
  /** What another thread needs to attach to the same open file. */
  describe(): FileDescription
  /**
   * Lets the file go, so that it may be deleted or opened by others, while other threads are still attached to it: what
   * they ask of it from now on fails. close() is still to be called.
   */
  letGo(): void
  close(): void
}

/** A plain object that crosses threads: descriptors belong to the process, so their numbers serve everywhere. */
export interface FileDescription {
  readonly path: string
  /** -1 for a file on a web server. */
  readonly fd: number
  readonly writable: boolean
  readonly remote?: OpenedRemote
}

export type FileKind = 'regular' | 'block' | 'other'

/** What is known of a name before it is opened; `identity` is equal exactly for names of the same file. */
export interface FileFacts {
  readonly kind: FileKind
  readonly description: string
  readonly identity: string
}

/** Where files come from: the system, or the tests' simulated disk. */
export interface StorageHost {
  /** Follows symbolic links. Throws a SystemError (ENOENT, EACCES, …). */
  inspect(path: string): FileFacts
  open(path: string, writable: boolean): StorageFile
  /** Makes an empty file; an existing one is opened as it is with `overwrite`, else EEXIST. */
  create(path: string, overwrite: boolean): StorageFile
  remove(path: string): void
  /** Takes the locks that keep a second writer out, until the file is closed. Throws ImageError IN_USE. */
  lock(file: StorageFile): void
}
