/** How many lines the batch has that begins at `position`: one to some thousands, in both cores. */
export function countAt(position: number): number {
  return 1 + ((position * 7919) % 3000)
}

export function lineAt(position: number): string {
  return position % 3 === 0 ? `${position % 1000}\n` : `line ${position}\n`
}
