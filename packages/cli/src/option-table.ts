interface AnyOption {
  /** For `--help`. */
  readonly help: string
  /** One letter, for `-x`. */
  readonly short?: string
  /** Its variable, if that is not `MANY_CORES_` and its name. False: none. */
  readonly env?: string | false
  /** Options that this one excludes: given on the command line, it overrides their variables. */
  readonly excludes?: readonly string[]
}

/** A switch: `--local`, or `--no-local`. */
export interface BooleanOption extends AnyOption {
  readonly type: 'boolean'
  /** Default: false. */
  readonly default?: boolean
}

/** A finite number from `min` to `max`. */
export interface NumberOption extends AnyOption {
  readonly type: 'number'
  /** The name of the value in `--help`. */
  readonly value: string
  readonly default?: number
  /** The default in `--help`, if it is set elsewhere. */
  readonly defaultHelp?: string
  /** Default: 0. */
  readonly min?: number
  /** Default: none. */
  readonly max?: number
  /** Only whole numbers. */
  readonly integer?: true
}

/** Text, or the result of `parse`. */
export interface StringOption<T = unknown> extends AnyOption {
  readonly type: 'string'
  /** The name of the value in `--help`. */
  readonly value: string
  /** Goes through `parse`. Not for `multiple`. */
  readonly default?: string
  /** The default in `--help`, if it is computed later. */
  readonly defaultHelp?: string
  /** Repeatable: the value is a list. In the environment: separated by commas. */
  readonly multiple?: true
  /** Accepts a dash and a digit as the value: `--from -10`. */
  readonly dashValue?: true
  /** Its errors become a `UsageError` with the same message. */
  readonly parse?: (text: string) => T
}

export type Option = BooleanOption | NumberOption | StringOption

/** The options of a program, by long name without the dashes. */
export type OptionTable = Readonly<Record<string, Option>>

type One<O extends Option> = O extends { readonly parse: (text: string) => infer T }
  ? T
  : O extends NumberOption
    ? number
    : string

/** The values of a table's options. */
export type OptionValues<T extends OptionTable> = {
  readonly [Name in keyof T]: T[Name] extends BooleanOption
    ? boolean
    : T[Name] extends { readonly multiple: true }
      ? readonly One<T[Name]>[]
      : T[Name] extends { readonly default: string | number }
        ? One<T[Name]>
        : One<T[Name]> | undefined
}

/** Variables of the environment, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The environment variable of an option; undefined if it has none. */
export function variableOf(name: string, { env }: Option): string | undefined {
  if (env !== undefined) return env === false ? undefined : env
  return `MANY_CORES_${name.toUpperCase().replaceAll('-', '_')}`
}
