import type { FileSystem, WriteHandle } from "../../src/platform/types.ts";

/** The real disk but for waiting until it has everything: these tests do not cut the power. */
export function withoutFlush(fs: FileSystem): FileSystem {
  return {
    ...fs,
    syncDir: () => {},
    createFile: (path) => unflushed(fs.createFile(path)),
    openAppend(path) {
      const handle = fs.openAppend(path);
      return handle === null ? null : unflushed(handle);
    },
  };
}

function unflushed(handle: WriteHandle): WriteHandle {
  return {
    write: (bytes) => handle.write(bytes),
    sync: () => {},
    close: () => handle.close(),
  };
}
