//! The numbers of RFC 9380, section 8.8 and appendix E, and what follows from them.
//!
//! Of the isogenies, only numerators are tables here: the denominators of `x` and `y` are the square and the cube of one
//! polynomial, whose roots are the abscissas of the kernel. So its value is the `Z` of a Jacobian point.

use crate::backend::ifma::fp::{Element, Fp};
use crate::backend::ifma::fp2::Fp2;
use std::sync::LazyLock;

/// The coefficients `A'` and `B'` of the curve isogenous to G1's, and a root of `−Z`, with `Z = 11`.
const G1_SIMPLE: [&str; 3] = [
    "144698a3b8e9433d693a02c96d4982b0ea985383ee66a8d8e8981aefd881ac98936f8da0e0f97f5cf428082d584c1d",
    "12e2908d11688030018b12e8753eee3b2016c1f0f24f4070a0b9c14fcef35ef55a23215a316ceaa5d1cc48e98e172be0",
    "4610e003bd3ac94dfa9246c390d7a78942602029175a4ca366d601f33f3946e3ed39794735c38315d874bc1d70637c3",
];
/// `x_num`, from the constant term up.
const G1_X: [&str; 12] = [
    "11a05f2b1e833340b809101dd99815856b303e88a2d7005ff2627b56cdb4e2c85610c2d5f2e62d6eaeac1662734649b7",
    "17294ed3e943ab2f0588bab22147a81c7c17e75b2f6a8417f565e33c70d1e86b4838f2a6f318c356e834eef1b3cb83bb",
    "d54005db97678ec1d1048c5d10a9a1bce032473295983e56878e501ec68e25c958c3e3d2a09729fe0179f9dac9edcb0",
    "1778e7166fcc6db74e0609d307e55412d7f5e4656a8dbf25f1b33289f1b330835336e25ce3107193c5b388641d9b6861",
    "e99726a3199f4436642b4b3e4118e5499db995a1257fb3f086eeb65982fac18985a286f301e77c451154ce9ac8895d9",
    "1630c3250d7313ff01d1201bf7a74ab5db3cb17dd952799b9ed3ab9097e68f90a0870d2dcae73d19cd13c1c66f652983",
    "d6ed6553fe44d296a3726c38ae652bfb11586264f0f8ce19008e218f9c86b2a8da25128c1052ecaddd7f225a139ed84",
    "17b81e7701abdbe2e8743884d1117e53356de5ab275b4db1a682c62ef0f2753339b7c8f8c8f475af9ccb5618e3f0c88e",
    "80d3cf1f9a78fc47b90b33563be990dc43b756ce79f5574a2c596c928c5d1de4fa295f296b74e956d71986a8497e317",
    "169b1f8e1bcfa7c42e0c37515d138f22dd2ecb803a0c5c99676314baf4bb1b7fa3190b2edc0327797f241067be390c9e",
    "10321da079ce07e272d8ec09d2565b0dfa7dccdde6787f96d50af36003b14866f69b771f8c285decca67df3f1605fb7b",
    "6e08c248e260e70bd1e962381edee3d31d79d7e22c837bc23c0bf1bc24c6b68c24b1b80b64d391fa9c8ba2e8ba2d229",
];
/// The polynomial of the kernel, from the constant term up; its leading coefficient is one.
const G1_KERNEL: [&str; 5] = [
    "133341fb0962a34cb0504a9c4fada0a5090d38679b4c040d5d1c3afb023a3409fcc0815fea66d8b02bbef9c8b5a66e07",
    "264908af037bcede00d054cf5d4775e83eb6cf63c76b969f8ed174fb59fcff78d201f46f6cfc4ed6552e59ce75177b0",
    "1335c502c1f54c49aceea65e87fd7203ba0f626f305fc0cfd606a5dae9f3c8e81a4b3b69600129fabd307c69bf319d39",
    "94440f65f408a6e930e16e3e92dd17bf60d6e9679a8d3d58593de55ac23703042d609537eb3549aac234d896ca82944",
    "4afe09d5cf4956a23b6b71f59d2b3407b415a774b7be81bbb6fa99cbc798e0ac98ba725a5bc328016b1c268b4766e85",
];
/// `y_num`, from the constant term up.
const G1_Y: [&str; 16] = [
    "90d97c81ba24ee0259d1f094980dcfa11ad138e48a869522b52af6c956543d3cd0c7aee9b3ba3c2be9845719707bb33",
    "134996a104ee5811d51036d776fb46831223e96c254f383d0f906343eb67ad34d6c56711962fa8bfe097e75a2e41c696",
    "cc786baa966e66f4a384c86a3b49942552e2d658a31ce2c344be4b91400da7d26d521628b00523b8dfe240c72de1f6",
    "1f86376e8981c217898751ad8746757d42aa7b90eeb791c09e4a3ec03251cf9de405aba9ec61deca6355c77b0e5f4cb",
    "8cc03fdefe0ff135caf4fe2a21529c4195536fbe3ce50b879833fd221351adc2ee7f8dc099040a841b6daecf2e8fedb",
    "16603fca40634b6a2211e11db8f0a6a074a7d0d4afadb7bd76505c3d3ad5544e203f6326c95a807299b23ab13633a5f0",
    "4ab0b9bcfac1bbcb2c977d027796b3ce75bb8ca2be184cb5231413c4d634f3747a87ac2460f415ec961f8855fe9d6f2",
    "987c8d5333ab86fde9926bd2ca6c674170a05bfe3bdd81ffd038da6c26c842642f64550fedfe935a15e4ca31870fb29",
    "9fc4018bd96684be88c9e221e4da1bb8f3abd16679dc26c1e8b6e6a1f20cabe69d65201c78607a360370e577bdba587",
    "e1bba7a1186bdb5223abde7ada14a23c42a0ca7915af6fe06985e7ed1e4d43b9b3f7055dd4eba6f2bafaaebca731c30",
    "19713e47937cd1be0dfd0b8f1d43fb93cd2fcbcb6caf493fd1183e416389e61031bf3a5cce3fbafce813711ad011c132",
    "18b46a908f36f6deb918c143fed2edcc523559b8aaf0c2462e6bfe7f911f643249d9cdf41b44d606ce07c8a4d0074d8e",
    "b182cac101b9399d155096004f53f447aa7b12a3426b08ec02710e807b4633f06c851c1919211f20d4c04f00b971ef8",
    "245a394ad1eca9b72fc00ae7be315dc757b3b080d4c158013e6632d3c40659cc6cf90ad1c232a6442d9d3f5db980133",
    "5c129645e44cf1102a159f748c4a3fc5e673d81d7e86568d9ab0f5d396a7ce46ba1049b6579afb7866b1e715475224b",
    "15e6be4e990f03ce4ea50b3b42df2eb5cb181d8f84965a3957add4fa95af01b2b665027efec01c7704b456be69c8b604",
];
/// `A'/u` and `B'/(1 + u)` of the curve isogenous to G2's, and a root of `−5`: the norm of `Z = −(2 + u)` is 5.
const G2_SIMPLE: [&str; 3] =
    ["f0", "3f4", "186417302d5a65347a88b0f999ab2b504614aa5e2eebdeb1a014c40bceb7d2306c12a6d436befcf94d39c9db7b263cd4"];
/// `x_num`, real and imaginary parts in turn, from the constant term up. The kernel's polynomial is `x + 6 − 6u`.
const G2_X: [&str; 8] = [
    "5c759507e8e333ebb5b7a9a47d7ed8532c52d39fd3a042a88b58423c50ae15d5c2638e343d9c71c6238aaaaaaaa97d6",
    "5c759507e8e333ebb5b7a9a47d7ed8532c52d39fd3a042a88b58423c50ae15d5c2638e343d9c71c6238aaaaaaaa97d6",
    "0",
    "11560bf17baa99bc32126fced787c88f984f87adf7ae0c7f9a208c6b4f20a4181472aaa9cb8d555526a9ffffffffc71a",
    "11560bf17baa99bc32126fced787c88f984f87adf7ae0c7f9a208c6b4f20a4181472aaa9cb8d555526a9ffffffffc71e",
    "8ab05f8bdd54cde190937e76bc3e447cc27c3d6fbd7063fcd104635a790520c0a395554e5c6aaaa9354ffffffffe38d",
    "171d6541fa38ccfaed6dea691f5fb614cb14b4e7f4e810aa22d6108f142b85757098e38d0f671c7188e2aaaaaaaa5ed1",
    "0",
];
/// `y_num` in the same way.
const G2_Y: [&str; 8] = [
    "1530477c7ab4113b59a4c18b076d11930f7da5d4a07f649bf54439d87d27e500fc8c25ebf8c92f6812cfc71c71c6d706",
    "1530477c7ab4113b59a4c18b076d11930f7da5d4a07f649bf54439d87d27e500fc8c25ebf8c92f6812cfc71c71c6d706",
    "0",
    "5c759507e8e333ebb5b7a9a47d7ed8532c52d39fd3a042a88b58423c50ae15d5c2638e343d9c71c6238aaaaaaaa97be",
    "11560bf17baa99bc32126fced787c88f984f87adf7ae0c7f9a208c6b4f20a4181472aaa9cb8d555526a9ffffffffc71c",
    "8ab05f8bdd54cde190937e76bc3e447cc27c3d6fbd7063fcd104635a790520c0a395554e5c6aaaa9354ffffffffe38f",
    "124c9ad43b6cf79bfbf7043de3811ad0761b0f37a1e26286b0e977c69aa274524e79097a56dc4bd9e1b371c71c718b10",
    "0",
];

/// A table for the lanes.
fn elements<const N: usize>(numbers: &[&str; N]) -> [Element; N] {
    // SAFETY: only code that needs the processor to have IFMA comes here.
    numbers.map(|number| unsafe { Element::from_hex(number) })
}

/// What maps to G1's curve.
#[derive(Debug)]
pub(super) struct G1Constants {
    simple: [Element; G1_SIMPLE.len()],
    x: [Element; G1_X.len()],
    kernel: [Element; G1_KERNEL.len()],
    y: [Element; G1_Y.len()],
}

/// What maps to G2's curve.
#[derive(Debug)]
pub(super) struct G2Constants {
    simple: [Element; G2_SIMPLE.len()],
    x: [Element; G2_X.len()],
    y: [Element; G2_Y.len()],
}

pub(super) static G1: LazyLock<G1Constants> = LazyLock::new(|| G1Constants {
    simple: elements(&G1_SIMPLE),
    x: elements(&G1_X),
    kernel: elements(&G1_KERNEL),
    y: elements(&G1_Y),
});

pub(super) static G2: LazyLock<G2Constants> =
    LazyLock::new(|| G2Constants { simple: elements(&G2_SIMPLE), x: elements(&G2_X), y: elements(&G2_Y) });

impl G1Constants {
    /// `A'`, `B'` and `√−Z`.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn simple(&self) -> [Fp; 3] {
        [Fp::splat(&self.simple[0]), Fp::splat(&self.simple[1]), Fp::splat(&self.simple[2])]
    }

    /// `x_num`, the kernel's polynomial and `y_num` at a point.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn isogeny(&self, x: &Fp) -> [Fp; 3] {
        let polynomial = |leading: Fp, coefficients: &[Element]| {
            coefficients.iter().rev().fold(leading, |value, coefficient| value.mul(x).add(&Fp::splat(coefficient)))
        };
        let numerator = |table: &[Element]| {
            let (leading, rest) = table.split_last().expect("coefficients");
            polynomial(Fp::splat(leading), rest)
        };
        [numerator(&self.x), polynomial(Fp::one(), &self.kernel), numerator(&self.y)]
    }
}

impl G2Constants {
    /// `A'` and `B'`.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn simple(&self) -> [Fp2; 2] {
        let b = Fp::splat(&self.simple[1]);
        [Fp2 { c0: Fp::zero(), c1: Fp::splat(&self.simple[0]) }, Fp2 { c0: b, c1: b }]
    }

    /// `√−5`.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn root(&self) -> Fp {
        Fp::splat(&self.simple[2])
    }

    /// `x_num` and `y_num` at a point.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn isogeny(&self, x: &Fp2) -> [Fp2; 2] {
        let numerator = |table: &[Element]| {
            let (pairs, _) = table.as_chunks::<2>();
            let splat = |[c0, c1]: &[Element; 2]| Fp2 { c0: Fp::splat(c0), c1: Fp::splat(c1) };
            let (leading, rest) = pairs.split_last().expect("coefficients");
            rest.iter().rev().fold(splat(leading), |value, pair| value.mul(x).add(&splat(pair)).carried())
        };
        [numerator(&self.x), numerator(&self.y)]
    }
}
