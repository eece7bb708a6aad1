//! Tables without lines between their cells. Returns text and prints nothing.

use comfy_table::{Table, presets};

pub use comfy_table::{CellAlignment, ContentArrangement};

use crate::words::harmless;

/// Columns under headings, to be set up further by whoever fills it.
#[derive(Debug)]
pub struct Columns(Table);

impl Columns {
    /// A table with these headings. Cells stand as wide as they are, on the left, and the first
    /// column begins `indent` spaces from the margin.
    #[must_use]
    pub fn new(headings: &[&str], indent: u16) -> Columns {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(headings.to_vec());
        if let Some(first) = table.column_mut(0) {
            first.set_padding((indent, 1));
        }
        Columns(table)
    }

    /// Puts the cells of these columns on the right, as numbers stand.
    #[must_use]
    pub fn numbers(mut self, columns: impl IntoIterator<Item = usize>) -> Columns {
        for column in columns {
            if let Some(column) = self.0.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    /// Folds cells so that the table is so many characters wide at most.
    #[must_use]
    pub fn within(mut self, width: u16) -> Columns {
        self.0
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
        self
    }

    /// Adds a row. What would steer a terminal is written out.
    pub fn row<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let cells: Vec<String> = cells
            .into_iter()
            .map(|cell| harmless(cell.as_ref()))
            .collect();
        self.0.add_row(cells);
    }

    /// All lines, each with its newline and without spaces at its end.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in self.0.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_in_columns_and_steer_no_terminal() {
        let mut table = Columns::new(&["id", "what"], 0);
        table.row(["a", "one\u{1b}[31m"]);
        table.row(["longer", "2"]);
        assert_eq!(
            table.text(),
            "id      what\na       one\\u{1b}[31m\nlonger  2\n"
        );
    }

    #[test]
    fn numbers_stand_on_the_right() {
        let mut table = Columns::new(&["", "issued"], 2).numbers([1, 7]);
        table.row(["look-ups", "12"]);
        assert_eq!(table.text(), "            issued\n  look-ups      12\n");
    }

    #[test]
    fn wide_cells_are_folded() {
        let mut table = Columns::new(&["a", "title"], 0).within(12);
        table.row(["1", "one two three"]);
        assert_eq!(table.text(), "a  title\n1  one two\n   three\n");
    }
}
