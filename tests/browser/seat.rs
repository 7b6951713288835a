//! Seats for the tests that have browsers: each of these keeps a processor busy for seconds, and one that gets
//! none answers nothing in time. So two tests at once have some, however many run.

use std::cell::RefCell;
use std::rc::Rc;
use std::rc::Weak;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;

static FREE: Mutex<usize> = Mutex::new(2);
static GIVEN_BACK: Condvar = Condvar::new();

thread_local! {
    /// That of the test that runs on this thread.
    static OWN: RefCell<Weak<Seat>> = const { RefCell::new(Weak::new()) };
}

/// All browsers of a test have the same one; with the last of them it is given back.
pub(crate) struct Seat(());

impl Seat {
    /// The seat of this thread, once there is one.
    pub(crate) fn take() -> Rc<Seat> {
        OWN.with_borrow_mut(|own| {
            own.upgrade().unwrap_or_else(|| {
                let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
                let free = GIVEN_BACK.wait_while(free, |free| *free == 0);
                *free.unwrap_or_else(PoisonError::into_inner) -= 1;
                let seat = Rc::new(Seat(()));
                *own = Rc::downgrade(&seat);
                seat
            })
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        GIVEN_BACK.notify_one();
    }
}
