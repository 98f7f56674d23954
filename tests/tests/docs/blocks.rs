//! What a document consists of, as far as a test cares: fenced blocks, indented lines, code within sentences.

/// A fenced block.
#[derive(Debug)]
pub(crate) struct Block {
    /// Of its first line, from 1.
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) text: String,
}

/// One command of a block.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) line: usize,
    /// As a shell reads it.
    pub(crate) text: String,
    /// How it ends.
    pub(crate) code: i32,
    /// What it says, where the document shows it.
    pub(crate) says: Option<Vec<String>>,
}

/// A line that Markdown shows as code because it is indented.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) text: String,
}

const FENCE: &str = "```";

/// The fenced blocks, in their order.
pub(crate) fn of(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = document.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix(FENCE) else { continue };
        let indent = line.len() - line.trim_start().len();
        let body = lines.by_ref().map(|(_, line)| line);
        let body = body.take_while(|line| line.trim_start() != FENCE);
        let text: Vec<&str> = body.map(|line| line.get(indent..).unwrap_or_default()).collect();
        blocks.push(Block {
            line: number + 2,
            language: language.to_owned(),
            text: text.join("\n") + "\n",
        });
    }
    blocks
}

/// The lines outside of fenced blocks that begin with four blanks and follow an empty line or another such line.
pub(crate) fn indented(document: &str) -> Vec<Line> {
    let (mut found, mut fenced, mut begun) = (Vec::new(), false, false);
    for (number, line) in document.lines().enumerate() {
        fenced ^= line.trim_start().starts_with(FENCE);
        let code = !fenced && begun && line.starts_with("    ");
        if code {
            found.push(Line { number: number + 1, text: line.trim().to_owned() });
        }
        begun = code || line.trim().is_empty();
    }
    found
}

/// Code within sentences and tables, as one line each.
pub(crate) fn spans(document: &str) -> Vec<String> {
    let mut prose = String::new();
    let mut fenced = false;
    for line in document.lines() {
        let fence = line.trim_start().starts_with(FENCE);
        fenced ^= fence;
        if !fenced && !fence {
            // A span ends with its paragraph at the latest.
            prose.push_str(if line.trim().is_empty() { "\n" } else { line });
            prose.push(' ');
        }
    }
    let paragraphs = prose.lines().flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2));
    paragraphs.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

impl Block {
    /// What is to be run, of a block of commands.
    pub(crate) fn commands(&self) -> Vec<Command> {
        match self.language.as_str() {
            "sh" => self.lines_to_run(),
            "console" => self.prompts(),
            _ => Vec::new(),
        }
    }

    /// Lines, with those that a backslash continues.
    fn lines_to_run(&self) -> Vec<Command> {
        let mut commands: Vec<Command> = Vec::new();
        let mut goes_on = false;
        for (number, line) in self.text.lines().enumerate() {
            let (part, more) = line.strip_suffix('\\').map_or((line, false), |part| (part, true));
            if goes_on {
                commands.last_mut().expect("begun").text.push_str(part);
            } else if !line.trim().is_empty() && !line.starts_with('#') {
                commands.push(Command::new(self.line + number, part));
            }
            goes_on = more;
        }
        for command in &mut commands {
            command.code = exit_code(&command.text);
        }
        commands
    }

    /// What stands behind `$ `, and what it says.
    fn prompts(&self) -> Vec<Command> {
        let mut commands: Vec<Command> = Vec::new();
        for (number, line) in self.text.lines().enumerate() {
            if let Some(text) = line.strip_prefix("$ ") {
                commands.push(Command::new(self.line + number, text));
            } else if !line.trim().is_empty()
                && let Some(command) = commands.last_mut()
            {
                command.says.get_or_insert_default().push(line.to_owned());
            }
        }
        commands
    }
}

impl Command {
    fn new(line: usize, text: &str) -> Self {
        Self { line, text: text.to_owned(), code: exit_code(text), says: None }
    }
}

/// What `# … exit code N` says; 0 without it.
fn exit_code(text: &str) -> i32 {
    let comment = text.rsplit_once("exit code ").filter(|(before, _)| before.contains("# "));
    let digits = comment.map(|(_, n)| n.split(|c: char| !c.is_ascii_digit()).next());
    digits.flatten().and_then(|n| n.parse().ok()).unwrap_or(0)
}
