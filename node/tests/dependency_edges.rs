//! The house's plan, enforced: which workspace crate may depend on which (docs/ARCHITECTURE.md, "The
//! house"), and what may never be found below `core/`. An edge that is not drawn here is forbidden; to draw
//! one, change the document too.

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Package};
use std::collections::{BTreeMap, BTreeSet};

/// Of each crate: what it may use, and what its tests and benches may use on top.
const DRAWN: &[(&str, &[&str], &[&str])] = &[
    ("phalanx-types", &[], &[]),
    ("phalanx-bls", &[], &[]),
    ("phalanx-threshold", &["types", "bls"], &["threshold"]),
    ("phalanx-consensus", &["types", "threshold"], &["checkers"]),
    ("phalanx-mempool", &["types"], &[]),
    ("phalanx-journal", &["types"], &[]),
    ("phalanx-sync", &["types", "threshold"], &[]),
    ("phalanx-pipeline", &["types", "bls", "threshold", "consensus", "mempool", "journal", "sync"], &["checkers"]),
    ("phalanx-checkers", &["types"], &[]),
    (
        "phalanx-sim",
        &["types", "bls", "threshold", "consensus", "mempool", "journal", "sync", "pipeline", "checkers"],
        &[],
    ),
    ("phalanx-model", &["types", "threshold", "consensus"], &[]),
    (
        "phalanx-node",
        &["types", "bls", "threshold", "consensus", "mempool", "journal", "sync", "pipeline"],
        &["checkers"],
    ),
    (
        "phalanx-benches",
        &[
            "types",
            "bls",
            "threshold",
            "consensus",
            "mempool",
            "journal",
            "sync",
            "pipeline",
            "checkers",
            "sim",
            "node",
        ],
        &[],
    ),
    (
        "phalanx-fuzz",
        &["types", "bls", "threshold", "consensus", "mempool", "journal", "sync", "checkers", "node"],
        &[],
    ),
];

/// Never a direct dependency of a crate in `core/`: sockets, files, clocks, threads of its own, async.
const NEVER_IN_CORE: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "socket2",
    "quinn",
    "rustls",
    "hyper",
    "axum",
    "jsonrpsee",
    "redb",
    "futures",
    "parking_lot",
    "getrandom",
    "chrono",
    "time",
    "tracing",
    "metrics",
];

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .features(CargoOpt::AllFeatures)
        .exec()
        .expect("cargo metadata describes this workspace")
}

fn full_names(short: &[&str]) -> BTreeSet<String> {
    short.iter().map(|name| format!("phalanx-{name}")).collect()
}

/// Workspace crates that `package` uses: as a library, and in its tests and benches only.
fn edges(package: &Package, workspace: &BTreeSet<String>) -> (BTreeSet<String>, BTreeSet<String>) {
    let of = |development: bool| {
        package
            .dependencies
            .iter()
            .filter(|dependency| (dependency.kind == DependencyKind::Development) == development)
            .map(|dependency| dependency.name.clone())
            .filter(|name| workspace.contains(name))
            .collect::<BTreeSet<_>>()
    };
    (of(false), of(true))
}

#[test]
fn every_edge_between_crates_is_drawn() {
    let metadata = metadata();
    let packages: BTreeMap<String, &Package> =
        metadata.workspace_packages().into_iter().map(|package| (package.name.to_string(), package)).collect();
    let workspace: BTreeSet<String> = packages.keys().cloned().collect();
    for (name, package) in &packages {
        let drawn = DRAWN.iter().find(|(drawn, ..)| drawn == name);
        let (_, library, tests) = drawn.unwrap_or_else(|| panic!("{name} has no place in the house: draw it"));
        let (used, used_in_tests) = edges(package, &workspace);
        let library = full_names(library);
        let undrawn: Vec<_> = used.difference(&library).collect();
        assert!(undrawn.is_empty(), "{name} depends on {undrawn:?}, an edge that is not drawn");
        let allowed: BTreeSet<_> = library.union(&full_names(tests)).cloned().collect();
        let undrawn: Vec<_> = used_in_tests.difference(&allowed).collect();
        assert!(undrawn.is_empty(), "the tests of {name} depend on {undrawn:?}, an edge that is not drawn");
    }
}

#[test]
fn core_has_no_io() {
    let metadata = metadata();
    let core = metadata.workspace_root.join("core");
    let mut seen = 0;
    for package in metadata.workspace_packages() {
        if !package.manifest_path.starts_with(&core) {
            continue;
        }
        seen += 1;
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal) {
            let family = dependency.name.split('-').next().expect("a name has a first part");
            let forbidden = NEVER_IN_CORE.contains(&dependency.name.as_str()) || NEVER_IN_CORE.contains(&family);
            assert!(!forbidden, "{} depends on {}: core/ does no IO and reads no clock", package.name, dependency.name);
        }
    }
    assert_eq!(seen, 11, "every crate of core/ was looked at");
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for package in metadata().workspace_packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("a manifest can be read");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} has its own lints", package.name);
    }
}

#[test]
fn pure_crates_forbid_unsafe_code() {
    let metadata = metadata();
    for name in ["types", "consensus", "threshold", "mempool", "journal", "sync", "checkers"] {
        let path = metadata.workspace_root.join("core").join(name).join("src/lib.rs");
        let text = std::fs::read_to_string(&path).expect("a crate has a lib.rs");
        assert!(text.contains("#![forbid(unsafe_code)]"), "{path} does not forbid unsafe code");
    }
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let metadata = metadata();
    let root = &metadata.workspace_root;
    let mut folders: Vec<_> = ["core", "node", "benches"].iter().map(|folder| root.join(folder)).collect();
    let mut silent = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().expect("a folder of the workspace can be read") {
            let path = entry.expect("an entry can be read").into_path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension() == Some("rs") {
                let text = std::fs::read_to_string(&path).expect("a source file can be read");
                if !text.starts_with("//!") {
                    silent.push(path.clone());
                }
                assert!(path.file_name() != Some("mod.rs"), "{path}: name it after its module");
            }
        }
    }
    assert!(silent.is_empty(), "these files do not open with `//!`: {silent:#?}");
}
