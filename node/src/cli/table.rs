//! Tables for people: a header, a line under it, and rows.

use comfy_table::{LineStyle, Table, TableStyle};

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table without anything at the ends of its lines. No header: an empty one.
pub(super) fn table<const COLUMNS: usize>(
    header: Option<[&str; COLUMNS]>,
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = Table::new();
    table.load_style(STYLE);
    if let Some(header) = header {
        table.set_header(header);
    }
    for row in rows {
        table.add_row(row);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_trimmed_and_columns_aligned() {
        let text = table(Some(["a", "b"]), [["1".to_owned(), "2".to_owned()], ["333".to_owned(), String::new()]]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[0].find('b'), lines[2].find('2'), "{text}");
        assert!(lines.iter().all(|line| line.trim_end() == *line), "{text}");
    }
}
