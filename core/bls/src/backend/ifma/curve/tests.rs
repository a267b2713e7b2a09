//! The formulas of both groups against the oracle, exceptional cases included.
#![allow(unsafe_code, reason = "vector code needs a processor with IFMA")]

use super::{g1, g2};
use crate::backend::blst::{g1_negate, g2_negate};
use crate::backend::ifma::LANES;
use crate::backend::ifma::decode::{g1_from_blst, g1_to_blst, g2_from_blst, g2_to_blst};
use crate::backend::ifma::points::{g1_mixed, g1_plus, g2_mixed, g2_plus};
use crate::backend::ifma::tests::skipped;
use crate::point::{G1, G2};

macro_rules! group_tests {
    ($module:ident, $group:ident, $formulas:ident, $test:ident, $mixed:ident, $plus:ident, $from_blst:ident,
     $to_blst:ident, $negate:ident) => {
        /// The affine form, `None` where `Z = 0`.
        #[target_feature(enable = "avx512ifma")]
        fn $module(x: &$module::Projective) -> [Option<$group>; LANES] {
            let inverse = x.z.invert();
            let affine = $module::Affine { x: x.x.mul(&inverse), y: x.y.mul(&inverse) };
            let (points, infinite) = ($to_blst(&affine), x.z.is_zero());
            core::array::from_fn(|lane| (infinite >> lane & 1 == 0).then_some(points[lane]))
        }

        #[target_feature(enable = "avx512ifma")]
        fn $formulas(left: &[$group], right: &[$group]) {
            let (a, b) = ($from_blst(left), $from_blst(right));
            let expected: [_; LANES] = core::array::from_fn(|lane| $plus(Some(left[lane]), Some(right[lane])));
            let doubled: [_; LANES] = core::array::from_fn(|lane| $plus(Some(left[lane]), Some(left[lane])));
            let sum = a.projective().add_affine(&b);
            assert_eq!($module(&sum), expected);
            assert_eq!($module(&a.projective().double()), doubled);
            // With denominators that are not one, and with infinity on either side.
            let again: [_; LANES] = core::array::from_fn(|lane| $plus(expected[lane], Some(left[lane])));
            assert_eq!($module(&sum.add(&a.projective())), again);
            assert_eq!($module(&a.projective().add(&sum)), again);
            assert_eq!($module(&sum.add_affine(&a)), again);
            let fourfold: [_; LANES] = core::array::from_fn(|lane| $plus(expected[lane], expected[lane]));
            assert_eq!($module(&sum.double()), fourfold);
            assert_eq!($module(&sum.add(&sum)), fourfold);
            let infinity = $module::Projective::infinity();
            assert_eq!($module(&infinity.add(&sum)), expected);
            assert_eq!($module(&sum.add(&infinity)), expected);
            assert_eq!($module(&infinity.add_affine(&b)), core::array::from_fn(|lane| Some(right[lane])));
            assert_eq!($module(&infinity.double()), [None; LANES]);
            assert_eq!($module(&sum.add(&sum.negate_where(u8::MAX))), [None; LANES]);
            // Jacobian doublings are right, additions where the points differ, and the rest has no Z.
            let twice = a.jacobian().double();
            for sum in [twice.add_affine(&b), twice.add(&b.jacobian()), b.jacobian().double().add(&a.jacobian())] {
                assert!(sum.double().double().z.is_zero() & sum.z.is_zero() == sum.z.is_zero());
            }
            let sum = twice.add_affine(&b);
            for lane in 0..LANES {
                let differ = doubled[lane] != Some(right[lane]) && $plus(doubled[lane], Some(right[lane])).is_some();
                assert_eq!(sum.z.is_zero() >> lane & 1 == 0, differ, "an exception shows, and nothing else does");
                if differ {
                    let expected = $plus(doubled[lane], Some(right[lane])).expect("differ");
                    let alike = sum.is_opposite(&$from_blst(&[$negate(&expected)]));
                    let other = twice.add(&b.jacobian()).is_opposite(&$from_blst(&[$negate(&expected)]));
                    assert!(alike >> lane & 1 == 1 && other >> lane & 1 == 1);
                }
            }
        }

        #[test]
        fn $test() {
            if skipped() {
                return;
            }
            let points = $mixed(400, 5);
            for (left, right) in points.chunks_exact(LANES).zip(points[3..].chunks_exact(LANES)) {
                // SAFETY: the processor has IFMA.
                unsafe {
                    $formulas(left, right);
                    $formulas(left, left);
                }
            }
        }
    };
}

group_tests!(
    g1,
    G1,
    g1_formulas,
    g1_formulas_agree_with_the_oracle,
    g1_mixed,
    g1_plus,
    g1_from_blst,
    g1_to_blst,
    g1_negate
);
group_tests!(
    g2,
    G2,
    g2_formulas,
    g2_formulas_agree_with_the_oracle,
    g2_mixed,
    g2_plus,
    g2_from_blst,
    g2_to_blst,
    g2_negate
);
