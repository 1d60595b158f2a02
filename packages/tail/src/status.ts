/**
 * - `reading`: reads the file `path` from byte `offset` on.
 * - `waiting`: waits for `path`, because of `reason`; '' if there is no such file.
 * - `lost`: bytes that nothing has any more, `bytes` of them at least: `gone` and `cut` of the file that was at `path`, after byte
 *   `offset`; `packed` and `damaged` of the whole file at `path`, which cannot be unpacked.
 * - `skipped`: `bytes` NUL bytes at the start of `path`, which a program left that does not append to a file that was cut off.
 */
export type TailStatus =
  | { readonly state: 'reading'; readonly path: string; readonly offset: number }
  | { readonly state: 'waiting'; readonly path: string; readonly reason: string }
  | {
      readonly state: 'lost'
      readonly path: string
      readonly offset: number
      readonly bytes: number
      readonly reason: 'gone' | 'cut' | 'packed' | 'damaged'
    }
  | { readonly state: 'skipped'; readonly path: string; readonly bytes: number }

/** Called with each event of `follow`. */
export type OnStatus = (status: TailStatus) => void
