//! The worst case of a value, whatever the inputs: followed in builds with debug assertions, nothing in
//! others.
//!
//! Each operation computes the bound of its result from those of its operands and asserts what it needs.
//! So one run of a code path in a debug build shows that no input of that path overflows.

use super::constants::LIMB_BITS;

/// What a limb of a reduced value may reach.
pub(super) const REDUCED_LIMB_MAX: u64 = (1 << LIMB_BITS) - 1;
/// What a limb of a subtraction's bias may reach.
pub(super) const BIAS_LIMB_MAX: u64 = (2 << LIMB_BITS) - 1;
/// What a limb may reach where it is multiplied: the processor reads 52 bits, and Karatsuba's method adds two.
const FACTOR_LIMB_MAX: u64 = (1 << 51) - 1;
/// What a value may reach. Unit: the modulus.
const VALUE_MAX: f64 = 1024.0;
/// What a column of a product may reach, either sign.
const COLUMN_MAX: f64 = (1_u64 << 62) as f64;
/// `⌊2³⁹² / p⌋`, rounded down.
const RADIX_BY_MODULUS: f64 = 2_500.0;

/// The bound of a field element.
#[derive(Clone, Copy, Debug)]
#[cfg(debug_assertions)]
pub(super) struct Bound {
    /// Of every limb but the highest.
    limb: u64,
    /// Of the value. Unit: the modulus.
    value: f64,
}

/// The bound of a field element.
#[derive(Clone, Copy, Debug)]
#[cfg(not(debug_assertions))]
pub(super) struct Bound;

/// The bound of an unreduced sum of products.
#[derive(Clone, Copy, Debug)]
#[cfg(debug_assertions)]
pub(super) struct WideBound {
    /// Of the magnitude of a column.
    column: f64,
    /// The least value. Unit: the modulus squared.
    least: f64,
    /// The greatest value. Unit: the modulus squared.
    greatest: f64,
}

/// The bound of an unreduced sum of products.
#[derive(Clone, Copy, Debug)]
#[cfg(not(debug_assertions))]
pub(super) struct WideBound;

#[cfg(debug_assertions)]
impl Bound {
    /// Below the modulus, or whatever a constant is.
    pub(super) const CANONICAL: Self = Self { limb: (1 << LIMB_BITS) - 1, value: 1.0 };
    /// Any integer of 384 bits.
    pub(super) const INTEGER: Self = Self { limb: (1 << LIMB_BITS) - 1, value: 10.0 };

    #[cfg(test)]
    pub(super) fn at_most(limb: u64, value: f64) -> Self {
        Self { limb, value }
    }

    /// Of an element that comes from memory.
    pub(super) fn stored() -> Self {
        Self { limb: REDUCED_LIMB_MAX, value: super::Fp::STORED_MAX }
    }

    /// That an element may go to memory.
    pub(super) fn assert_stored(self) {
        assert!(self.limb <= REDUCED_LIMB_MAX && self.value <= super::Fp::STORED_MAX, "to be stored: {self:?}");
    }

    pub(super) fn add(self, other: Self) -> Self {
        Self { limb: self.limb + other.limb, value: self.value + other.value }.checked()
    }

    /// `bias` is the multiple of the modulus that is added first.
    pub(super) fn sub(self, other: Self, bias: f64) -> Self {
        assert!(other.limb <= REDUCED_LIMB_MAX, "reduce the subtrahend's limbs first: {other:?}");
        assert!(other.value < bias - 0.001, "a larger bias is needed: {other:?}");
        Self { limb: self.limb + BIAS_LIMB_MAX, value: self.value + bias }.checked()
    }

    pub(super) fn carried(self) -> Self {
        Self { limb: REDUCED_LIMB_MAX, ..self }
    }

    /// After subtracting all multiples of the modulus but at most one too few, of 15 at most.
    pub(super) fn lowered(self) -> Self {
        assert!(self.value < 15.9, "too many multiples: {self:?}");
        // The estimate by the highest limb of 38 bits is off by less than 2⁻¹⁰.
        Self { limb: REDUCED_LIMB_MAX, value: self.value.min(2.001) }
    }

    /// A small multiple, carried before it is used.
    pub(super) fn times(self, factor: f64) -> Self {
        Self { limb: REDUCED_LIMB_MAX, value: factor * self.value }.checked()
    }

    pub(super) fn either(self, other: Self) -> Self {
        Self { limb: self.limb.max(other.limb), value: self.value.max(other.value) }
    }

    pub(super) fn product(self, other: Self) -> WideBound {
        let (left, right) = (self.checked().limb as f64, other.checked().limb as f64);
        let high = left * right / (1_u64 << 52) as f64;
        // Of Karatsuba's middle columns: four products of sums of two limbs and four of limbs, of one sign.
        let column = 8.0 * (1_u64 << 52) as f64 + 8.0 * (16.0 + 4.0) * high;
        WideBound { column, least: 0.0, greatest: self.value * other.value }
    }

    /// That the value can be a factor.
    fn checked(self) -> Self {
        assert!(self.limb <= FACTOR_LIMB_MAX, "limbs of 51 bits: {self:?}");
        assert!(self.value <= VALUE_MAX, "far below the radix: {self:?}");
        self
    }
}

#[cfg(debug_assertions)]
impl WideBound {
    pub(super) const ZERO: Self = Self { column: 0.0, least: 0.0, greatest: 0.0 };

    /// One or the other.
    pub(super) fn either(self, other: Self) -> Self {
        Self {
            column: self.column.max(other.column),
            least: self.least.min(other.least),
            greatest: self.greatest.max(other.greatest),
        }
    }

    pub(super) fn add(self, other: Self) -> Self {
        Self {
            column: self.column + other.column,
            least: self.least + other.least,
            greatest: self.greatest + other.greatest,
        }
        .checked()
    }

    pub(super) fn sub(self, other: Self) -> Self {
        Self {
            column: self.column + other.column,
            least: self.least - other.greatest,
            greatest: self.greatest - other.least,
        }
        .checked()
    }

    /// After adding the modulus times `2³⁹²`.
    pub(super) fn raised(self) -> Self {
        Self {
            column: self.column + (1_u64 << LIMB_BITS) as f64,
            least: self.least + RADIX_BY_MODULUS,
            greatest: self.greatest + RADIX_BY_MODULUS * 1.02,
        }
    }

    /// The caller knows from algebra that the value is not negative, which intervals cannot see.
    pub(super) fn not_negative(self) -> Self {
        Self { least: self.least.max(0.0), ..self }
    }

    /// The caller knows from algebra that the value is the sum of some products less that of others, which the
    /// way it was computed does not show.
    pub(super) fn known_as(self, plus: &[(Bound, Bound)], minus: &[(Bound, Bound)]) -> Self {
        let sum = |pairs: &[(Bound, Bound)]| pairs.iter().map(|(left, right)| left.value * right.value).sum::<f64>();
        Self { least: -sum(minus), greatest: sum(plus), ..self }
    }

    /// With a value added whose columns are counted already.
    pub(super) fn add_value(self, other: Self) -> Self {
        Self { least: self.least + other.least, greatest: self.greatest + other.greatest, ..self }
    }

    /// `(T + folds + qp) / 2³⁹²`: the folds add less than `2⁻¹⁵p` and the last row less than `p`.
    pub(super) fn reduced(self) -> Bound {
        assert!(self.least >= 0.0, "raise the difference first: {self:?}");
        let value = 1.001 + self.greatest / RADIX_BY_MODULUS;
        assert!(self.checked().column <= COLUMN_MAX - (80_u64 << 52) as f64, "columns: {self:?}");
        Bound { limb: REDUCED_LIMB_MAX, value }.checked()
    }

    fn checked(self) -> Self {
        assert!(self.column <= COLUMN_MAX, "columns of 62 bits: {self:?}");
        self
    }
}

#[cfg(not(debug_assertions))]
impl Bound {
    pub(super) const CANONICAL: Self = Self;
    pub(super) const INTEGER: Self = Self;

    #[cfg(test)]
    pub(super) fn at_most(_: u64, _: f64) -> Self {
        Self
    }

    #[inline(always)]
    pub(super) fn stored() -> Self {
        Self
    }

    #[inline(always)]
    pub(super) fn assert_stored(self) {}

    #[inline(always)]
    pub(super) fn add(self, _: Self) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn sub(self, _: Self, _: f64) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn carried(self) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn lowered(self) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn times(self, _: f64) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn either(self, _: Self) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn product(self, _: Self) -> WideBound {
        WideBound
    }
}

#[cfg(not(debug_assertions))]
impl WideBound {
    pub(super) const ZERO: Self = Self;

    #[inline(always)]
    pub(super) fn either(self, _: Self) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn add(self, _: Self) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn sub(self, _: Self) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn raised(self) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn not_negative(self) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn known_as(self, _: &[(Bound, Bound)], _: &[(Bound, Bound)]) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn add_value(self, _: Self) -> Self {
        self
    }

    #[inline(always)]
    pub(super) fn reduced(self) -> Bound {
        Bound
    }
}
