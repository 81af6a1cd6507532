//! A heap that never grows the memory for an ordinary request.
//!
//! A component's memory is reset for every fresh instance, and what a host pays for that is the pages that were
//! touched, most of all pages that `memory.grow` added (`mprotect`, a TLB shoot-down, page faults). So allocation only
//! moves a pointer through what the initial memory leaves over, and the pointer returns to the start as soon as
//! nothing is allocated any more: after each request, which is why an instance that lives long does not fill up.

/// The bookkeeping, on plain addresses: `next..end` is free, `live` blocks lie in `start..next`.
pub(crate) struct Arena {
    start: usize,
    next: usize,
    end: usize,
    live: usize,
}

impl Arena {
    pub(crate) const fn empty() -> Arena {
        Arena { start: 0, next: 0, end: 0, live: 0 }
    }

    pub(crate) fn init(&mut self, start: usize, end: usize) {
        *self = Arena { start, next: start, end, live: 0 };
    }

    /// The address of a new block, or how many bytes are lacking at the end.
    pub(crate) fn allocate(&mut self, size: usize, align: usize) -> Result<usize, usize> {
        let address = self.next.next_multiple_of(align);
        let next = address.saturating_add(size);
        if next > self.end {
            return Err(next - self.end);
        }
        self.next = next;
        self.live += 1;
        Ok(address)
    }

    pub(crate) fn free(&mut self, address: usize, size: usize) {
        self.live -= 1;
        if self.live == 0 {
            self.next = self.start;
        } else if address + size == self.next {
            self.next = address;
        }
    }

    /// Makes the newest block larger or smaller where it lies; `false` when it is not the newest, or lacks room.
    pub(crate) fn resize(&mut self, address: usize, size: usize, new_size: usize) -> bool {
        let fits = address + size == self.next && address.saturating_add(new_size) <= self.end;
        if fits {
            self.next = address + new_size;
        }
        fits
    }

    pub(crate) fn extend(&mut self, end: usize) {
        self.end = end;
    }
}

#[cfg(target_arch = "wasm32")]
mod global {
    use core::alloc::{GlobalAlloc, Layout};
    use core::cell::UnsafeCell;

    use super::Arena;

    const PAGE_BYTES: usize = 65_536;

    #[global_allocator]
    static HEAP: Heap = Heap(UnsafeCell::new(Arena::empty()));

    struct Heap(UnsafeCell<Arena>);

    // SAFETY: a core module without the threads proposal has one thread, and no method below calls out while it
    // holds the reference.
    unsafe impl Sync for Heap {}

    impl Heap {
        #[expect(clippy::mut_from_ref, reason = "the one place that turns the cell into a reference")]
        fn arena(&self) -> &mut Arena {
            unsafe extern "C" {
                static __heap_base: u8;
            }
            // SAFETY: single-threaded, and the references handed out do not overlap (see `Sync` above).
            let arena = unsafe { &mut *self.0.get() };
            if arena.end == 0 {
                arena.init(&raw const __heap_base as usize, core::arch::wasm32::memory_size(0) * PAGE_BYTES);
            }
            arena
        }
    }

    // SAFETY: blocks come from `__heap_base..end of memory`, which nothing else uses; the arena never hands out
    // overlapping live blocks and aligns each.
    unsafe impl GlobalAlloc for Heap {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let arena = self.arena();
            loop {
                match arena.allocate(layout.size(), layout.align()) {
                    Ok(address) => return address as *mut u8,
                    Err(lacking) => {
                        let pages = lacking.div_ceil(PAGE_BYTES);
                        if core::arch::wasm32::memory_grow(0, pages) == usize::MAX {
                            return core::ptr::null_mut();
                        }
                        arena.extend(core::arch::wasm32::memory_size(0) * PAGE_BYTES);
                    }
                }
            }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            self.arena().free(block as usize, layout.size());
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
            if self.arena().resize(block as usize, layout.size(), new_size) {
                return block;
            }
            // SAFETY: the caller keeps `GlobalAlloc`'s contract, so the new layout is valid and `block` is live.
            unsafe {
                let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
                if !new.is_null() {
                    core::ptr::copy_nonoverlapping(block, new, layout.size().min(new_size));
                    self.dealloc(block, layout);
                }
                new
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_over_when_nothing_is_live() {
        let mut arena = Arena::empty();
        arena.init(100, 1_000);
        let first = arena.allocate(10, 8).expect("there is room");
        let second = arena.allocate(10, 8).expect("there is room");
        assert_eq!((first, second), (104, 120));
        arena.free(first, 10);
        assert_eq!(arena.allocate(4, 4), Ok(132), "a hole is not reused while something is live");
        arena.free(132, 4);
        arena.free(second, 10);
        assert_eq!(arena.allocate(4, 4), Ok(100));
    }

    #[test]
    fn gives_back_and_resizes_only_the_newest_block() {
        let mut arena = Arena::empty();
        arena.init(0, 100);
        let first = arena.allocate(10, 1).expect("there is room");
        let second = arena.allocate(10, 1).expect("there is room");
        assert!(!arena.resize(first, 10, 20));
        assert!(arena.resize(second, 10, 90));
        assert!(!arena.resize(second, 90, 91));
        arena.free(second, 90);
        assert_eq!(arena.allocate(10, 1), Ok(10));
    }

    #[test]
    fn says_how_much_is_lacking() {
        let mut arena = Arena::empty();
        arena.init(0, 100);
        assert_eq!(arena.allocate(130, 1), Err(30));
        arena.extend(200);
        assert_eq!(arena.allocate(130, 1), Ok(0));
        assert_eq!(arena.allocate(usize::MAX, 1), Err(usize::MAX - 200));
    }
}
