//! The base field, as far as benches look at it: products and squares of many independent elements, in the backend's own
//! representation. What is converted is converted before and after.

use crate::backend::Backend;
use crate::backend::blst as oracle;
#[cfg(target_arch = "x86_64")]
use crate::backend::ifma::{Ifma, Vectors};
use core::fmt;

/// Elements of the base field at work on one backend.
pub struct FieldWork(Elements);

enum Elements {
    Blst(oracle::Elements),
    #[cfg(target_arch = "x86_64")]
    Ifma(Ifma, Box<Vectors>),
}

impl FieldWork {
    /// How many elements there are.
    pub const ELEMENTS: usize = 256;

    /// Fixed elements, different ones.
    #[must_use]
    pub fn new(backend: Backend) -> Self {
        let elements = oracle::Elements::fixed(Self::ELEMENTS);
        Self(match backend {
            Backend::Blst => Elements::Blst(elements),
            #[cfg(target_arch = "x86_64")]
            Backend::Ifma(lanes) => Elements::Ifma(lanes, Box::new(lanes.vectors(&elements))),
        })
    }

    /// Multiplies each element by one factor, so many times.
    pub fn multiply(&mut self, times: usize) {
        match &mut self.0 {
            Elements::Blst(elements) => elements.multiply(times),
            #[cfg(target_arch = "x86_64")]
            Elements::Ifma(lanes, vectors) => lanes.multiply(vectors, times),
        }
    }

    /// Squares each element, so many times.
    pub fn square(&mut self, times: usize) {
        match &mut self.0 {
            Elements::Blst(elements) => elements.square(times),
            #[cfg(target_arch = "x86_64")]
            Elements::Ifma(lanes, vectors) => lanes.square(vectors, times),
        }
    }

    /// The elements as they are now, as integers below the modulus: big-endian, 48 bytes each.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Elements::Blst(elements) => elements.to_bytes(),
            #[cfg(target_arch = "x86_64")]
            Elements::Ifma(lanes, vectors) => oracle::Elements::of(lanes.elements(vectors)).to_bytes(),
        }
    }
}

impl fmt::Debug for FieldWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldWork").field("elements", &Self::ELEMENTS).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    //! All backends do the same.

    use super::*;
    use crate::backend::BACKEND_NAMES;

    #[test]
    fn every_backend_multiplies_and_squares_alike() {
        let start = FieldWork::new(Backend::Blst).to_bytes();
        let mut seen: Vec<Vec<u8>> = Vec::new();
        for name in BACKEND_NAMES {
            let Ok(backend) = Backend::select(name) else {
                eprintln!("SKIPPED: {name}: this processor cannot run it");
                continue;
            };
            let mut work = FieldWork::new(backend);
            assert_eq!(work.to_bytes(), start);
            work.multiply(3);
            work.square(2);
            seen.push(work.to_bytes());
        }
        assert_ne!(seen[0], start);
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "backends differ");
    }
}
