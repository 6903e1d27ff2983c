// SPDX-License-Identifier: GPL-2.0
/* What devices reach and which frames are pinned, told by the guest's kernel itself. */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/pci.h>

#include "lab.h"

/* Pages whose frames follow each other: thousands of them take one line. */
static void report_run(struct seq_buf *reply, unsigned long iova, phys_addr_t physical,
		       unsigned long length)
{
	if (length)
		seq_buf_printf(reply, "IOVA iova=0x%lx physical=0x%llx length=%lu\n", iova,
			       (unsigned long long)physical, length);
}

int lab_dump_iovas(struct seq_buf *reply, unsigned long start, unsigned long length, int bdf)
{
	struct pci_dev *device = pci_get_domain_bus_and_slot(0, bdf >> 8, bdf & 0xff);
	unsigned long iova, end = start + length, length_of_run = 0;
	struct iommu_domain *domain;
	phys_addr_t physical = 0;

	if (!device)
		return -ENODEV;
	domain = iommu_get_domain_for_dev(&device->dev);
	for (iova = start; domain && iova < end; iova += PAGE_SIZE) {
		/* It answers 0 for what is not mapped; one that maps address 0 says so in its second byte. */
		phys_addr_t second = iommu_iova_to_phys(domain, iova + 1);

		if (length_of_run && second && second - 1 == physical + length_of_run) {
			length_of_run += PAGE_SIZE;
			continue;
		}
		report_run(reply, iova - length_of_run, physical, length_of_run);
		physical = second - 1;
		length_of_run = second ? PAGE_SIZE : 0;
	}
	report_run(reply, iova - length_of_run, physical, length_of_run);
	pci_dev_put(device);
	if (!domain)
		return -ENOENT;
	return seq_buf_has_overflowed(reply) ? -EMSGSIZE : 0;
}

int lab_dump_frames(struct seq_buf *reply, unsigned long start, unsigned long length)
{
	unsigned long address, end = start + length;

	for (address = start; address < end; address += PAGE_SIZE) {
		struct folio *folio;

		if (!pfn_valid(PHYS_PFN(address)))
			continue;
		folio = page_folio(pfn_to_page(PHYS_PFN(address)));
		seq_buf_printf(reply, "FRAME address=0x%lx references=%d pinned=%d\n", address,
			       folio_ref_count(folio), folio_maybe_dma_pinned(folio));
	}
	return seq_buf_has_overflowed(reply) ? -EMSGSIZE : 0;
}
