//! Products and squares of the base field, on blst: for benches.
#![allow(unsafe_code, reason = "blst is a C library; what its functions need is said in the parent module")]

use ::blst as ffi;
use ::blst::blst_fp;

const ELEMENT_BYTES: usize = 48;

/// Elements, and the factor that they are multiplied by.
pub(crate) struct Elements {
    elements: Vec<blst_fp>,
    factor: blst_fp,
}

/// What all elements are multiplied by: an integer with bits in every word. In this form, it stands for another number.
const FACTOR: blst_fp = blst_fp { l: [0x0123_4567_89ab_cdef; 6] };

impl Elements {
    /// Different ones, by powers of the factor.
    pub(crate) fn fixed(count: usize) -> Self {
        let next = |element: &blst_fp| Some(product(element, &FACTOR));
        let elements = core::iter::successors(Some(product(&FACTOR, &FACTOR)), next).take(count).collect();
        Self { elements, factor: FACTOR }
    }

    pub(crate) fn of(elements: Vec<blst_fp>) -> Self {
        Self { elements, factor: FACTOR }
    }

    pub(crate) fn as_slice(&self) -> &[blst_fp] {
        &self.elements
    }

    pub(crate) fn factor(&self) -> &blst_fp {
        &self.factor
    }

    pub(crate) fn multiply(&mut self, times: usize) {
        for _ in 0..times {
            for element in &mut self.elements {
                // SAFETY: reads two elements and writes one; the library allows it to be one of them.
                unsafe { ffi::blst_fp_mul(&raw mut *element, &raw const *element, &self.factor) };
            }
        }
    }

    pub(crate) fn square(&mut self, times: usize) {
        for _ in 0..times {
            for element in &mut self.elements {
                // SAFETY: reads one element and writes one; the library allows them to be the same.
                unsafe { ffi::blst_fp_sqr(&raw mut *element, &raw const *element) };
            }
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; ELEMENT_BYTES * self.elements.len()];
        for (bytes, element) in bytes.chunks_exact_mut(ELEMENT_BYTES).zip(&self.elements) {
            // SAFETY: reads one element and writes 48 bytes of a slice of that length.
            unsafe { ffi::blst_bendian_from_fp(bytes.as_mut_ptr(), element) };
        }
        bytes
    }
}

fn product(left: &blst_fp, right: &blst_fp) -> blst_fp {
    let mut product = blst_fp::default();
    // SAFETY: reads two elements and writes one.
    unsafe { ffi::blst_fp_mul(&mut product, left, right) };
    product
}
