from pathlib import Path


class Notes:
    def __init__(self, folder: Path) -> None:
        self.texts = [path.read_text() for path in folder.glob("*.md")]

    def retrieve(self, query: str) -> list[str]:
        return [text for text in self.texts if any(word in text for word in query.split())]


def build() -> Notes:
    return Notes(Path("notes"))
