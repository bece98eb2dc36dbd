//! Headers that were checked before.
//!
//! Applications write `[("Content-Type", "text/plain")]`, and Python makes that tuple once, as a constant of the function.
//! So the very same object comes back with each request, and what was found out about it still holds: neither a tuple nor
//! a str ever changes.

use std::cell::RefCell;

use http::{HeaderName, HeaderValue};
use pyo3::{
    prelude::*,
    types::{PyString, PyTuple},
};

use crate::references::references;

/// A power of two: applications have few constant headers, and what falls on the same place only misses.
const PLACES: usize = 64;

thread_local! {
    static KNOWN: RefCell<[Option<Known>; PLACES]> = const { RefCell::new([const { None }; PLACES]) };
}

struct Known {
    /// Keeps the tuple alive, so that no other object can come to have its address.
    pair: Py<PyAny>,
    name: HeaderName,
    value: HeaderValue,
}

/// The header that `pair` is: as it was found before, or by `check`.
pub(super) fn header(
    pair: &Bound<'_, PyAny>,
    check: fn(&Bound<'_, PyAny>) -> PyResult<(HeaderName, HeaderValue)>,
) -> PyResult<(HeaderName, HeaderValue)> {
    // Objects are aligned to 16 bytes.
    let place = (pair.as_ptr() as usize >> 4) % PLACES;
    let known = KNOWN.with_borrow(|known| {
        let known = known[place].as_ref().filter(|known| known.pair.is(pair))?;
        Some((known.name.clone(), known.value.clone()))
    });
    if let Some(header) = known {
        return Ok(header);
    }
    let (name, value) = check(pair)?;
    if is_constant(pair) {
        let new = Known { pair: pair.clone().unbind(), name: name.clone(), value: value.clone() };
        let old = KNOWN.with_borrow_mut(|known| known[place].replace(new));
        // Dropped here: it may be the last reference, and run a destructor.
        drop(old);
    }
    Ok((name, value))
}

/// Whether the pair is likely to come back: somebody besides the list of headers and its iterator holds it. And whether
/// it can be trusted to stay what it is: a subclass could have been made to be otherwise.
fn is_constant(pair: &Bound<'_, PyAny>) -> bool {
    let exact = pair
        .cast_exact::<PyTuple>()
        .is_ok_and(|pair| pair.iter_borrowed().all(|item| item.cast_exact::<PyString>().is_ok()));
    exact && references(pair) > 2
}
