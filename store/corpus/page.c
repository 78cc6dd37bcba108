#include "page.h"

#include "store/record/key.h"

#define NODE 8 /* octets of a node's, before its key */

bool
page_parse(struct page *page, uint64_t number)
{
	const uint8_t *p = page->data;

	page->number = page_u64(p);
	page->flags = page_u16(p + 10);
	page->lower = page_u16(p + 12);
	page->upper = page_u16(p + 14);
	if (page->number != number || page_u16(p + 8) != 0 ||
	    (page->flags != PAGE_BRANCH && page->flags != PAGE_LEAF) ||
	    page->lower <= PAGE_HEADER || page->lower % 2 != 0 || page->lower > page->upper ||
	    page->upper > page->octets)
		return false;
	page->n = (page->lower - PAGE_HEADER) / 2u;
	return true;
}

bool
page_node(const struct page *page, unsigned i, struct page_node *node)
{
	size_t at = page_u16(page->data + PAGE_HEADER + 2 * (size_t)i), room;
	const uint8_t *p = page->data + at;
	uint64_t low;

	if (at < page->upper || at + NODE > page->octets)
		return false;
	room = page->octets - at - NODE;
	low = page_u16(p) | (uint64_t)page_u16(p + 2) << 16;
	*node = (struct page_node){
	    .key = p + NODE, .key_len = page_u16(p + 6), .flags = page_u16(p + 4)};
	if (page->flags == PAGE_BRANCH) {
		node->child = low | (uint64_t)node->flags << 32;
	} else {
		node->data_len = (uint32_t)low;
		node->data = node->key + node->key_len;
	}
	if (node->key_len > KEY_MAX || node->key_len > room)
		return false;
	room -= node->key_len;
	node->octets = NODE + node->key_len;
	if (page->flags == PAGE_LEAF) {
		size_t len = (node->flags & PAGE_BIG_DATA) != 0 ? 8 : node->data_len;

		if (len > room)
			return false;
		node->octets += len;
	}
	node->octets += node->octets % 2;
	return true;
}

bool
page_is_head(const struct page_head *head, unsigned page_octets)
{
	return head->magic == PAGE_MAGIC && head->version == PAGE_VERSION &&
	       head->tree[0].pad == page_octets &&
	       (head->tree[0].flags & ~PAGE_NO_DIRECTORY) == PAGE_INTEGER_KEY &&
	       head->tree[1].pad == 0 && head->tree[1].flags == 0;
}
