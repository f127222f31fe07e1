import type { FileSystem } from "../../src/platform/types.ts";

/** The real disk but for waiting until it has everything: these tests do not cut the power. */
export function withoutFlush(fs: FileSystem): FileSystem {
  return {
    ...fs,
    syncDir: () => {},
    createFile(path) {
      const handle = fs.createFile(path);
      return {
        write: (bytes) => handle.write(bytes),
        sync: () => {},
        close: () => handle.close(),
      };
    },
  };
}
