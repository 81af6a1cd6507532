//! Tables for people: aligned on a terminal, or as Markdown.

/// Rows of cells below a title. The first column is text, the others are figures and stand to the right.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) header: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn text(&self) -> String {
        let widths: Vec<usize> = (0..self.header.len()).map(|column| self.width(column)).collect();
        let mut text = String::new();
        let line = |cells: Vec<&str>| {
            let mut line = String::from("  ");
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                let fill = " ".repeat(width - cell.chars().count());
                line += &if column == 0 { format!("{cell}{fill}") } else { format!("  {fill}{cell}") };
            }
            format!("{}\n", line.trim_end())
        };
        if !self.title.is_empty() {
            text += &format!("{}\n", self.title);
        }
        if self.header.iter().any(|cell| !cell.is_empty()) {
            text += &line(self.header.clone());
        }
        for row in &self.rows {
            text += &line(row.iter().map(String::as_str).collect());
        }
        text
    }

    pub(crate) fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let rule = (0..self.header.len()).map(|column| if column == 0 { "---" } else { "---:" }.to_owned());
        let mut text = format!("## {}\n\n", self.title);
        text += &line(self.header.iter().map(ToString::to_string).collect());
        text += &line(rule.collect());
        for row in &self.rows {
            text += &line(row.iter().map(|cell| cell.trim().replace('|', "\\|")).collect());
        }
        text
    }

    fn width(&self, column: usize) -> usize {
        let header = self.header[column].chars().count();
        self.rows.iter().map(|row| row[column].chars().count()).fold(header, usize::max)
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `part` of `whole` as `12.3 %`; a dash where there is no whole.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_to_the_right() {
        let table = Table {
            title: "Verdicts".into(),
            header: vec!["", "pairs", "share"],
            rows: vec![
                vec!["match".into(), "4,000".into(), "80.0 %".into()],
                vec!["a | b".into(), "7".into(), "-".into()],
            ],
        };
        insta::assert_snapshot!(table.text(), @r"
        Verdicts
                 pairs   share
          match  4,000  80.0 %
          a | b      7       -
        ");
        insta::assert_snapshot!(table.markdown(), @r"
        ## Verdicts

        |  | pairs | share |
        | --- | ---: | ---: |
        | match | 4,000 | 80.0 % |
        | a \| b | 7 | - |
        ");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([share(1, 8), share(0, 0)], ["12.5 %", "-"]);
    }
}
