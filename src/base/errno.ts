/**
 * The operating system's error name (`ENOENT`, `EACCES` …, on Windows also `UNKNOWN`) of a
 * failure or of what caused it; null when there is none. Looks at most eight causes deep.
 */
export function errnoOf(failure: unknown): string | null {
  let error = failure;
  for (let depth = 0; depth < 8; depth++) {
    if (typeof error !== "object" || error === null) return null;
    if (
      "code" in error && typeof error.code === "string" && /^(E[A-Z0-9]+|UNKNOWN)$/.test(error.code)
    ) {
      return error.code;
    }
    error = "cause" in error ? error.cause : null;
  }
  return null;
}
