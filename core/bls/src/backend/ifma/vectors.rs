//! Many elements of the base field, eight in each item: what benches measure products and squares on.

use super::LANES;
use super::fp::Fp;
use ::blst::blst_fp;

/// Elements on the lanes, and the factor that they are multiplied by.
pub(crate) struct Vectors {
    vectors: Vec<Fp>,
    factor: Fp,
}

impl Vectors {
    /// Of a multiple of eight elements.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn new(elements: &[blst_fp], factor: &blst_fp) -> Self {
        let (groups, rest) = elements.as_chunks::<LANES>();
        assert!(rest.is_empty(), "whole groups of eight");
        let mut vectors = Vec::with_capacity(groups.len());
        for group in groups {
            vectors.push(Fp::from_blst(group));
        }
        Self { vectors, factor: Fp::broadcast(factor) }
    }

    #[target_feature(enable = "avx512ifma")]
    pub(super) fn multiply(&mut self, times: usize) {
        for _ in 0..times {
            for vector in &mut self.vectors {
                *vector = vector.mul(&self.factor);
            }
        }
    }

    #[target_feature(enable = "avx512ifma")]
    pub(super) fn square(&mut self, times: usize) {
        for _ in 0..times {
            for vector in &mut self.vectors {
                *vector = vector.square();
            }
        }
    }

    #[target_feature(enable = "avx512ifma")]
    pub(super) fn elements(&self) -> Vec<blst_fp> {
        let mut elements = Vec::with_capacity(LANES * self.vectors.len());
        for vector in &self.vectors {
            elements.extend(vector.to_blst());
        }
        elements
    }
}
