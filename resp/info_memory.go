package resp

// infoMemory prints the Go runtime's figures under Redis's names: "allocated" are the heap's objects, "active" the spans
// that hold them, "resident" what the runtime has from the kernel.
func infoMemory(s *Server, t *infoText) {
	h, rss, clients := s.samples.heap(), processRSS(), s.clientBytes()
	human := func(name string, n int64) {
		t.field(name, n)
		t.field(name+"_human", humanBytes(n))
	}
	dataset := max(h.used-h.startup-clients, 0)
	human("used_memory", h.used)
	human("used_memory_rss", rss)
	human("used_memory_peak", h.peak)
	t.field("used_memory_peak_perc", percent(h.used, h.peak))
	t.field("used_memory_overhead", h.startup+clients)
	t.field("used_memory_startup", h.startup)
	t.field("used_memory_dataset", dataset)
	t.field("used_memory_dataset_perc", percent(dataset, max(h.used-h.startup, 0)))
	t.field("allocator_allocated", h.used)
	t.field("allocator_active", h.active)
	t.field("allocator_resident", h.resident)
	human("total_system_memory", totalMemory())
	// There are no scripts and functions, and none of the buffers below.
	t.zeros("used_memory_lua", "used_memory_vm_eval")
	t.field("used_memory_lua_human", humanBytes(0))
	t.zeros("used_memory_scripts_eval", "number_of_cached_scripts", "number_of_functions", "number_of_libraries",
		"used_memory_vm_functions", "used_memory_vm_total")
	t.field("used_memory_vm_total_human", humanBytes(0))
	t.zeros("used_memory_functions", "used_memory_scripts")
	t.field("used_memory_scripts_human", humanBytes(0))
	human("maxmemory", s.cfg.Bytes("maxmemory"))
	t.field("maxmemory_policy", s.cfg.String("maxmemory-policy"))
	t.field("allocator_frag_ratio", ratio(h.active, h.used))
	t.field("allocator_frag_bytes", h.active-h.used)
	t.field("allocator_rss_ratio", ratio(h.resident, h.active))
	t.field("allocator_rss_bytes", h.resident-h.active)
	t.field("rss_overhead_ratio", ratio(rss, h.resident))
	t.field("rss_overhead_bytes", rss-h.resident)
	t.field("mem_fragmentation_ratio", ratio(rss, h.used))
	t.field("mem_fragmentation_bytes", rss-h.used)
	t.zeros("mem_not_counted_for_evict", "mem_replication_backlog", "mem_total_replication_buffers", "mem_clients_slaves")
	t.field("mem_clients_normal", clients)
	t.zeros("mem_cluster_links", "mem_aof_buffer")
	t.field("mem_allocator", "go")
	t.zeros("active_defrag_running", "lazyfree_pending_objects", "lazyfreed_objects")
}
