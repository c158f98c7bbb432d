//! Short parallel loops on rayon's threads.
//!
//! A decoding step makes some two hundred products of 10 to 100 microseconds each. So the overhead of a parallel loop decides
//! whether a second core helps. `rayon::join` and `rayon::scope`, called from a thread outside of the pool, hand the work over
//! and sleep. That costs 6 to 9 microseconds, and the wait for a thread that the system has not woken yet. Here the calling
//! thread works too. Threads take pieces from a counter. The caller asks for helpers but does not wait for them, and a late
//! helper finds no work left. That costs 0.7 to 0.9 microseconds.

use crate::linear::cpu::tile::BLOCK;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How the rows of a weight are cut into pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Number of pieces.
    pub pieces: usize,
    /// Threads to ask for besides the calling one.
    pub helpers: usize,
    piece_rows: usize,
}

/// Below this much work a second thread costs more than it saves. In bytes of weights, an activation row's
/// multiplications counted as a few bytes.
const WORTH_A_HELPER: usize = 64 * 1024;
/// Pieces per thread: enough that an interrupted thread leaves little work to the others.
const PIECES_PER_THREAD: usize = 4;

/// How many threads are worth using for as much work as reading so many bytes.
pub(crate) fn threads_for(bytes: usize) -> usize {
    rayon::current_num_threads().min(1 + bytes / WORTH_A_HELPER)
}

impl Plan {
    /// For `m` activation rows and `n` weight rows of `row_bytes` each.
    pub fn new(m: usize, n: usize, row_bytes: usize) -> Plan {
        let work = n.saturating_mul(row_bytes).saturating_mul(4 + m) / 5;
        let threads = threads_for(work);
        if threads == 1 {
            return Plan { pieces: 1, helpers: 0, piece_rows: n };
        }
        let piece_rows = n.div_ceil(threads * PIECES_PER_THREAD).next_multiple_of(BLOCK);
        let pieces = n.div_ceil(piece_rows);
        Plan { pieces, helpers: (threads - 1).min(pieces - 1), piece_rows }
    }

    /// The rows of a piece, of `n` in all.
    pub fn rows(&self, piece: usize, n: usize) -> Range<usize> {
        let start = piece * self.piece_rows;
        start..n.min(start + self.piece_rows)
    }
}

/// Runs `task` once for each of `0..pieces`, on this thread and on up to `helpers` of rayon's.
///
/// When it returns (or unwinds), no thread is inside `task` and none will enter it any more: what `task` refers to by
/// address need not live longer than this call. Panics if `task` panicked on any thread.
pub(crate) fn for_pieces<F: Fn(usize) + Send + Sync + 'static>(pieces: usize, helpers: usize, task: F) {
    if pieces <= 1 || helpers == 0 {
        (0..pieces).for_each(task);
        return;
    }
    let shared = Arc::new(Loop {
        task,
        pieces,
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        panicked: AtomicBool::new(false),
    });
    for _ in 0..helpers {
        let shared = Arc::clone(&shared);
        rayon::spawn(move || {
            // A panic must not end the process from a thread of the pool; the caller reports it (see `Over`).
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shared.work()));
        });
    }
    {
        let _finish = Finish(&shared);
        shared.work();
    }
    if shared.panicked.load(Ordering::Relaxed) {
        std::panic::resume_unwind(Box::new("a piece of a CPU kernel panicked on a helper thread"));
    }
}

/// Calls `f` with the number and the place of each chunk of `out` (the rest after the last whole chunk stays as it
/// is), on several threads when there is enough to do: `work` is the number of multiplications in all, about.
///
/// Unlike rayon's own loops it does not put the calling thread to sleep, which for loops of a few microseconds takes
/// longer than the work.
pub fn each_chunk<F: Fn(usize, &mut [f32]) + Sync>(out: &mut [f32], chunk: usize, work: usize, f: F) {
    if chunk == 0 {
        return;
    }
    let chunks = out.len() / chunk;
    let threads = threads_for(work.saturating_mul(2)).min(chunks);
    if threads <= 1 {
        out.chunks_exact_mut(chunk).enumerate().for_each(|(i, c)| f(i, c));
        return;
    }
    let together = chunks.div_ceil(threads * PIECES_PER_THREAD);
    let borrowed = Borrowed::<F> { f: &raw const f, out: out.as_mut_ptr() };
    let borrowed = borrowed.erase();
    for_pieces(chunks.div_ceil(together), threads - 1, move |piece| {
        for number in piece * together..chunks.min((piece + 1) * together) {
            // SAFETY: `f` and `out` outlive this call, because `for_pieces` returns only when no thread is inside its
            // task; no two numbers have a place in common, and each number is in one piece.
            unsafe { borrowed.call(number, chunk) }
        }
    });
}

/// A function and a slice that are borrowed for the time of a loop.
struct Borrowed<F> {
    f: *const F,
    out: *mut f32,
}

/// The same without its lifetime.
struct Erased {
    f: *const (),
    out: *mut f32,
    call: unsafe fn(*const (), usize, &mut [f32]),
}

// SAFETY: made from a function that may be shared, and a slice of which no two threads get the same part.
unsafe impl Send for Erased {}
// SAFETY: as above.
unsafe impl Sync for Erased {}

impl<F: Fn(usize, &mut [f32]) + Sync> Borrowed<F> {
    fn erase(self) -> Erased {
        Erased {
            f: self.f.cast(),
            out: self.out,
            // SAFETY: `Erased::call` passes on the pointer above, whose target it promises is alive.
            call: |f, number, place| unsafe { (*f.cast::<F>())(number, place) },
        }
    }
}

impl Erased {
    /// # Safety
    /// The function and the slice are alive, the slice has the chunk, and nobody else uses that chunk meanwhile.
    unsafe fn call(&self, number: usize, chunk: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let place = std::slice::from_raw_parts_mut(self.out.add(number * chunk), chunk);
            (self.call)(self.f, number, place);
        }
    }
}

struct Loop<F> {
    task: F,
    pieces: usize,
    /// The next piece that nobody has taken.
    next: AtomicUsize,
    /// Pieces that were taken and are over.
    done: AtomicUsize,
    panicked: AtomicBool,
}

impl<F: Fn(usize)> Loop<F> {
    fn work(&self) {
        loop {
            let piece = self.next.fetch_add(1, Ordering::Relaxed);
            if piece >= self.pieces {
                return;
            }
            let mut over = Over { shared: self, finished: false };
            (self.task)(piece);
            over.finished = true;
        }
    }
}

/// Counts a piece as over, also when the task unwinds; that is noted first. The release pairs with the acquire in
/// [`Finish`], so that the caller sees the note and what helpers wrote.
struct Over<'a, F> {
    shared: &'a Loop<F>,
    finished: bool,
}

impl<F> Drop for Over<'_, F> {
    fn drop(&mut self) {
        if !self.finished {
            self.shared.panicked.store(true, Ordering::Relaxed);
        }
        self.shared.done.fetch_add(1, Ordering::Release);
    }
}

/// Waits until all pieces that were taken are over, and lets nobody take another.
struct Finish<'a, F>(&'a Loop<F>);

impl<F> Drop for Finish<'_, F> {
    fn drop(&mut self) {
        let taken = self.0.next.swap(self.0.pieces, Ordering::Relaxed).min(self.0.pieces);
        let mut turns = 0u32;
        while self.0.done.load(Ordering::Acquire) < taken {
            turns += 1;
            // A helper that was interrupted needs this core more than the wait does.
            if turns < 2000 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn every_piece_runs_once() {
        for pieces in [0, 1, 2, 7, 100] {
            for helpers in [0, 1, 3] {
                let counts: Arc<Vec<AtomicUsize>> = Arc::new((0..pieces).map(|_| AtomicUsize::new(0)).collect());
                let shared = Arc::clone(&counts);
                for_pieces(pieces, helpers, move |piece| {
                    shared[piece].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn a_panic_is_passed_on_after_all_threads_have_left() {
        for bad in 0..8 {
            let inside = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&inside);
            let run = || {
                for_pieces(8, 3, move |piece| {
                    let _leave = Leave(&counter);
                    counter.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(2));
                    if piece == bad {
                        std::panic::resume_unwind(Box::new("bad piece")); // without the message of a panic
                    }
                });
            };
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
            assert_eq!(inside.load(Ordering::SeqCst), 0, "a thread was still inside");
        }
    }

    struct Leave<'a>(&'a AtomicUsize);

    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn every_chunk_is_visited_once_and_the_rest_is_left() {
        for length in [0, 1, 7, 100, 1003] {
            for chunk in [1, 3, 50] {
                for work in [0, 1 << 30] {
                    let mut out = vec![0.5f32; length];
                    each_chunk(&mut out, chunk, work, |number, place| {
                        place.iter_mut().for_each(|value| *value += number as f32);
                    });
                    for (i, value) in out.iter().enumerate() {
                        let whole = i < length / chunk * chunk;
                        let expected = if whole { (i / chunk) as f32 } else { 0.0 } + 0.5;
                        assert_eq!(*value, expected, "{length} {chunk} {work} at {i}");
                    }
                }
            }
        }
    }

    #[test]
    fn pieces_cover_all_rows() {
        for n in [1, 11, 12, 13, 576, 49152, 49153] {
            let plan = Plan::new(1, n, 1152);
            let rows: Vec<usize> = (0..plan.pieces).flat_map(|piece| plan.rows(piece, n)).collect();
            assert_eq!(rows, (0..n).collect::<Vec<_>>());
        }
    }
}
