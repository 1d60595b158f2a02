export { atEnd } from './at-end.ts'
export { DEADLINE_MS, deadline } from './deadline.ts'
export { temporary } from './temporary.ts'
