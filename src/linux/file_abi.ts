/** What kind of file an inode's `i_mode` says it is (include/uapi/linux/stat.h). */
export const FILE_MODE = { TYPE_MASK: 0xf000, CHARACTER_DEVICE: 0x2000 } as const;

/** How many parts a path has at most: PATH_MAX is 4096 (include/uapi/linux/limits.h). */
export const MAX_PATH_PARTS = 2048;
