//! Keeps every segment that an operator's vote journal ever had: a compaction drops the old one, and with it what
//! the checkers must read. A second name for the same file costs nothing and holds whatever is appended to it.

use crate::cluster::Place;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// How often journals are looked at. A segment lives for minutes.
const INTERVAL: Duration = Duration::from_millis(100);
const SEGMENTS: [&str; 2] = ["journal-0", "journal-1"];

/// Archives for as long as it is not aborted.
pub(crate) async fn keep(places: Vec<Place>) {
    let mut archives: Vec<Archive> = places.into_iter().map(Archive::new).collect();
    loop {
        for archive in &mut archives {
            archive.look();
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

struct Archive {
    place: Place,
    known: BTreeSet<u64>,
}

impl Archive {
    fn new(place: Place) -> Self {
        Self { place, known: BTreeSet::new() }
    }

    fn look(&mut self) {
        for segment in SEGMENTS {
            let path = self.place.data().join("journal").join(segment);
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let kept = self.place.archive().join(format!("{:06}", self.known.len()));
            // A name that is taken or a file that was replaced meanwhile is looked at again.
            if !self.known.contains(&metadata.ino()) && fs::hard_link(&path, &kept).is_ok() {
                self.known.insert(metadata.ino());
            }
        }
    }
}

/// The segments that were kept, in the order in which they came.
pub(crate) fn segments(place: &Place) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(place.archive())?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
