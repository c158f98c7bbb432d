//! A slice of which several tasks write different places at the same time.

use std::marker::PhantomData;

/// See the module.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    start: *mut f32,
    length: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is only written through `slice`, whose callers promise that no two places overlap.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub fn new(data: &'a mut [f32]) -> Shared<'a> {
        Shared { start: data.as_mut_ptr(), length: data.len(), borrowed: PhantomData }
    }

    /// Numbers `from..from + count`.
    ///
    /// # Safety
    /// Nobody else has a part of this place while the result is used.
    #[allow(clippy::mut_from_ref)] // the caller promises that it is the only one
    pub unsafe fn slice(&self, from: usize, count: usize) -> &'a mut [f32] {
        assert!(from + count <= self.length, "a place after the end of a slice");
        // SAFETY: within the slice, as just checked, which is borrowed for 'a; nobody else uses it, by the promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), count) }
    }
}
