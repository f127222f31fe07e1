/**
 * What one look at a session leaves behind in memory, about: its path, its row, its times. Of a
 * hundred thousand sessions that is told to `Memory.passed`, which otherwise hears of files' bytes
 * only.
 */
export const LOOK_BYTES = 1024;
