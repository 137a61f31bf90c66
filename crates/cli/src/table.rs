//! Columns of text.

/// The lines of a table whose columns are as wide as their widest text.
pub(crate) fn table<const N: usize>(headings: &[&str; N], rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    [line(*headings)].into_iter().chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [["1".to_owned(), "starting".to_owned()], ["200".to_owned(), String::new()]];
        assert_eq!(table(&["ID", "STATE"], &rows), ["ID   STATE", "1    starting", "200"]);
    }
}
