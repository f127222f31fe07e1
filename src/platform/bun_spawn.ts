/**
 * The one use of a runtime's own API: the compiled program starts a child this way without loading
 * `node:child_process`, which costs a hook a fifth of its time. Everything else, and every other
 * runtime, goes through `node:` modules.
 */

/** Starts a program in a session of its own without input or output, and lets go of it. */
export type QuickSpawn = (
  argv: readonly string[],
  place: { readonly env: Readonly<Record<string, string>>; readonly cwd?: string },
) => void;

/** Null in a runtime without it. The function throws the system's error when it cannot start. */
export function quickSpawn(): QuickSpawn | null {
  const runtime: unknown = Reflect.get(globalThis, "Bun");
  const spawn: unknown = typeof runtime === "object" && runtime !== null
    ? Reflect.get(runtime, "spawn")
    : null;
  if (typeof spawn !== "function") return null;
  return (argv, place) => {
    const child: unknown = spawn([...argv], {
      ...place,
      stdio: ["ignore", "ignore", "ignore"],
      detached: true,
    });
    if (typeof child === "object" && child !== null && "unref" in child) {
      const { unref } = child;
      if (typeof unref === "function") unref.call(child);
    }
  };
}
