declare module 'fs-native-extensions' {
  /**
   * Locks a range of a file until its descriptor is closed; on Linux, an open file description lock. Returns false if
   * another holds it, and throws if the file system has no locks.
   */
  export function tryLock(fd: number, offset: number, length: number): boolean
}
