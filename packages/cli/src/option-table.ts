interface AnyOption {
  /** One sentence for `--help`. */
  readonly help: string
  /** One letter, for `-x`. */
  readonly short?: string
  /** False: no `MANY_CORES_…` variable. */
  readonly env?: false
  /** Names of options that this one excludes: on the command line, it beats their variables. */
  readonly excludes?: readonly string[]
}

/** A switch: `--local`, or `--no-local`. */
export interface BooleanOption extends AnyOption {
  readonly type: 'boolean'
  /** Default: false. */
  readonly default?: boolean
}

/** A finite number of `min` or more. */
export interface NumberOption extends AnyOption {
  readonly type: 'number'
  /** What the value is called in `--help`. */
  readonly value: string
  readonly default?: number
  /** For `--help`, where somebody else has the default. */
  readonly defaultHelp?: string
  /** Default: 0. */
  readonly min?: number
  /** Only whole numbers. */
  readonly integer?: true
}

/** Text, or what `parse` makes of it. */
export interface StringOption<T = unknown> extends AnyOption {
  readonly type: 'string'
  /** What the value is called in `--help`. */
  readonly value: string
  /** As text: it goes through `parse` like any other. Not for `multiple`. */
  readonly default?: string
  /** For `--help`, where the default is found later. */
  readonly defaultHelp?: string
  /** May be given several times; its value is a list. In the environment: separated by commas. */
  readonly multiple?: true
  /** A value may be a dash and a digit: `--from -10`. */
  readonly dashValue?: true
  /** What it throws becomes a `UsageError` with the same message. */
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

/** The values that a table's options have in the end. */
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

/** The environment variable that stands for an option. */
export function variableOf(name: string): string {
  return `MANY_CORES_${name.toUpperCase().replaceAll('-', '_')}`
}
