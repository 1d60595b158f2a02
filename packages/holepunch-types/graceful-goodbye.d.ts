declare module 'graceful-goodbye' {
  /** Runs `handler` at SIGINT, SIGTERM or an empty event loop, lowest position first. Returns its removal. */
  const goodbye: {
    (handler: () => unknown, position?: number): () => void
    exiting: boolean
    exit(): void
  }
  export default goodbye
}
