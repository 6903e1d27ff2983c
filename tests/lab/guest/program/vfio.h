/* The VFIO side: a container, one group, its one device. */
#ifndef LAB_VFIO_H
#define LAB_VFIO_H

#include <stdint.h>

/* Opens the container and the group, sets the type-1 IOMMU and takes the device; 0 on failure. */
int vfio_open(const char *group, const char *device);

/* Maps memory for DMA, or takes the mapping away; 0 or a negative errno. */
long vfio_map_dma(unsigned long address, uint64_t iova, unsigned long length);
long vfio_unmap_dma(uint64_t iova, unsigned long length);

/* Closes the container; the group and the device stay open. */
long vfio_close_container(void);

/* Maps the device's BAR 0 at `address` and touches it; answers its length, 0 on failure. */
unsigned long vfio_map_bar(unsigned long address);

#endif
