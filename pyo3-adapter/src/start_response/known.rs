//! Headers, and names of headers, that were checked before.
//!
//! Applications write `[("Content-Type", "text/plain"), ("Content-Length", str(length))]`, and Python makes the first of
//! these tuples once, as a constant of the function, and so the other's name. So the very same objects come back with each
//! request, and what was found out about them still holds: neither a tuple nor a str ever changes.

use std::{cell::RefCell, thread::LocalKey};

use http::{HeaderName, HeaderValue};
use pyo3::{
    prelude::*,
    types::{PyString, PyTuple},
};

use crate::references::references;

/// A power of two: applications have few constant headers, and what falls on the same place only misses.
const PLACES: usize = 64;

type Known<T> = RefCell<[Option<Entry<T>>; PLACES]>;

struct Entry<T> {
    /// Kept alive, so that no other object can come to have its address.
    object: Py<PyAny>,
    found: T,
}

thread_local! {
    static PAIRS: Known<(HeaderName, HeaderValue)> = const { RefCell::new([const { None }; PLACES]) };
    static NAMES: Known<HeaderName> = const { RefCell::new([const { None }; PLACES]) };
}

/// The header that `pair` is: as it was found before, or by `check`.
pub(super) fn header(
    pair: &Bound<'_, PyAny>,
    check: fn(&Bound<'_, PyAny>) -> PyResult<(HeaderName, HeaderValue)>,
) -> PyResult<(HeaderName, HeaderValue)> {
    // Somebody besides the list of headers and its iterator holds what is to come back.
    find(&PAIRS, pair, || check(pair), || is_exact(pair) && references(pair) > 2)
}

/// The name that `text` is: as it was found before, or by `check`.
pub(super) fn name(text: &Bound<'_, PyString>, check: impl FnOnce() -> PyResult<HeaderName>) -> PyResult<HeaderName> {
    // Somebody besides the tuple that it is in.
    find(&NAMES, text.as_any(), check, || text.as_any().cast_exact::<PyString>().is_ok() && references(text) > 1)
}

fn find<T: Clone>(
    known: &'static LocalKey<Known<T>>,
    object: &Bound<'_, PyAny>,
    check: impl FnOnce() -> PyResult<T>,
    comes_back: impl FnOnce() -> bool,
) -> PyResult<T> {
    // Objects are aligned to 16 bytes.
    let place = (object.as_ptr() as usize >> 4) % PLACES;
    let found = known.with_borrow(|known| {
        let entry = known[place].as_ref().filter(|entry| entry.object.is(object))?;
        Some(entry.found.clone())
    });
    if let Some(found) = found {
        return Ok(found);
    }
    let found = check()?;
    if comes_back() {
        let new = Entry { object: object.clone().unbind(), found: found.clone() };
        let old = known.with_borrow_mut(|known| known[place].replace(new));
        // Dropped here: it may be the last reference, and run a destructor.
        drop(old);
    }
    Ok(found)
}

/// Whether the pair can be trusted to stay what it is: a subclass could have been made to be otherwise.
fn is_exact(pair: &Bound<'_, PyAny>) -> bool {
    pair.cast_exact::<PyTuple>()
        .is_ok_and(|pair| pair.iter_borrowed().all(|item| item.cast_exact::<PyString>().is_ok()))
}
