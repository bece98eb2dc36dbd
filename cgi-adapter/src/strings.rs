//! Strings as `execve` takes them.

use std::ffi::c_char;

/// Strings, each with its NUL, one behind the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strings {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Strings {
    /// Adds a string that is put together from `parts`. One with a NUL would be cut short, so it is left out.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) {
        if parts.iter().any(|part| part.contains(&b'\0')) {
            return;
        }
        self.starts.push(self.bytes.len());
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.bytes.push(b'\0');
    }

    /// The strings, without their NULs.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self.starts.iter().skip(1).copied().chain([self.bytes.len()]);
        self.starts.iter().zip(ends).map(|(&start, end)| &self.bytes[start..end - 1])
    }

    /// A pointer to each string, and a null pointer: valid for as long as `self` is neither changed nor dropped.
    pub(crate) fn pointers(&self) -> Vec<*const c_char> {
        let pointers = self.starts.iter().map(|&start| self.bytes[start..].as_ptr().cast());
        pointers.chain([std::ptr::null()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_there_whole_or_not_at_all() {
        let mut strings = Strings::default();
        strings.push(&[b"A=", b"1"]);
        strings.push(&[b"B=", b"x\0y"]);
        strings.push(&[b""]);
        assert_eq!(strings.iter().collect::<Vec<_>>(), [&b"A=1"[..], b""]);
        assert_eq!(strings.pointers().len(), 3);
        assert!(strings.pointers()[2].is_null());
    }
}
