/** How many parts a path has at most: PATH_MAX is 4096 (include/uapi/linux/limits.h). */
export const MAX_PATH_PARTS = 2048;
