// A range of numbers or dates (both ends belong to it), or a choice of categories (null: no value).
export type Filter =
  | { kind: 'range'; from: number; to: number }
  | { kind: 'values'; values: (string | null)[] };
