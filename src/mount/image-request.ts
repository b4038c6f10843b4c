/** One image that is to be served. */
export interface ImageRequest {
  /** Of its folder, where each image has one. */
  readonly name: string
  /** A URL, or an absolute path. */
  readonly path: string
  /** Null: by the file's magic. */
  readonly format: string | null
  readonly readOnly: boolean
}
