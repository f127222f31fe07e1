/**
 * Gives what `make` gave when it was first asked for. For modules that are slow to load and often
 * not needed: `import()` itself waits for a turn of the event loop every time, also for what is
 * loaded.
 */
export function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | null = null;
  return () => (made ??= { value: make() }).value;
}
