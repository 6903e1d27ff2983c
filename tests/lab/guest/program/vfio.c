#include "vfio.h"

#include <linux/vfio.h>

#include "system.h"
#include "text.h"

static int container = -1, device_fd = -1;

static int fail(const char *step, long error)
{
	say("WARNING VFIO: %s failed with errno %u", step, (unsigned long)-error);
	return 0;
}

static long open_group(const char *number)
{
	char path[32] = "/dev/vfio/";
	int at = 10;

	while (*number && at < 30)
		path[at++] = *number++;
	path[at] = 0;
	return sys_open(path, O_RDWR);
}

int vfio_open(const char *group, const char *device)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	long group_fd, result;

	container = sys_open("/dev/vfio/vfio", O_RDWR);
	if (container < 0)
		return fail("open /dev/vfio/vfio", container);
	group_fd = open_group(group);
	if (group_fd < 0)
		return fail("open the group", group_fd);
	sys_ioctl(group_fd, VFIO_GROUP_GET_STATUS, &status);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return fail("the group is not viable: open", 0);
	result = sys_ioctl(group_fd, VFIO_GROUP_SET_CONTAINER, &container);
	if (result < 0)
		return fail("VFIO_GROUP_SET_CONTAINER", result);
	result = sys_ioctl(container, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU);
	if (result < 0)
		return fail("VFIO_SET_IOMMU", result);
	device_fd = sys_ioctl(group_fd, VFIO_GROUP_GET_DEVICE_FD, device);
	if (device_fd < 0)
		return fail("VFIO_GROUP_GET_DEVICE_FD", device_fd);
	return 1;
}

long vfio_map_dma(unsigned long address, uint64_t iova, unsigned long length)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = address,
		.iova = iova,
		.size = length,
	};
	long result = sys_ioctl(container, VFIO_IOMMU_MAP_DMA, &map);

	if (result < 0)
		fail("VFIO_IOMMU_MAP_DMA", result);
	return result;
}

long vfio_unmap_dma(uint64_t iova, unsigned long length)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = length,
	};

	return sys_ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap);
}

long vfio_close_container(void)
{
	return sys_close(container);
}

unsigned long vfio_map_bar(unsigned long address)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	unsigned long got;

	if (device_fd < 0 || sys_ioctl(device_fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		return 0;
	got = sys_mmap(address, info.size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED_NOREPLACE, device_fd, info.offset);
	if (got != address) {
		fail("mmap of BAR 0", got);
		return 0;
	}
	/* The first touch maps the whole BAR. */
	(void)*(volatile uint32_t *)address;
	return info.size;
}
