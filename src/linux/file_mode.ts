/** What kind of file an inode's `i_mode` says it is (include/uapi/linux/stat.h). */
export const FILE_MODE = { TYPE_MASK: 0xf000, CHARACTER_DEVICE: 0x2000 } as const;
