"""The README of an exported folder. It holds no class name and no caption: those come from anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from retrieval_vs_diffusion.models.classifier import Classifier


def readme(about: dict[str, Any], manifest: pd.DataFrame, classifier: Classifier, history: pd.DataFrame) -> str:
    """What the folder holds, in Markdown; arguments as of ``nodes.describe``."""
    origins = manifest["origin"].value_counts()
    accuracy = float(history.loc[history["kept"], "val_top1"].iloc[-1])
    clip = "" if classifier.clip_name is None else " --clip CLIP_FOLDER"
    probe = "" if classifier.clip_name is None else _PROBE.format(name=classifier.clip_name)
    return _TEXT.format(
        **about,
        originals=origins.get("original", 0),
        added=origins.get("added", 0),
        classes=len(classifier.class_names),
        model=classifier.model,
        size=classifier.image_size,
        accuracy=f"{accuracy * 100:.1f} %",
        clip=clip,
        probe=probe,
    )


_TEXT = """# {strategy}

{description}

World {world}, repetition {repetition}: {originals} original and {added} added images of {classes} classes, and the
classifier ({model}, {size} x {size} pixels) that was trained on exactly these. {mixing}
Its top-1 on validation is {accuracy}. No test image is in here.

| file | what it is |
|---|---|
| `training_set/images/` | a folder a class, PNG or JPEG as the classifier was given them |
| `training_set/shards/` | the same as WebDataset, shuffled: image, `cls` (label), `txt` (caption or prompt), `json` |
| `training_set/manifest.csv` | a row an image: its class, label, and where it came from |
| `classifier.safetensors` | weights; its metadata names the classes, the model and the preprocessing |

Folder names are class names made safe for file systems; `label` in the manifest is the position in the classifier's
classes. A text in the manifest that a spreadsheet would run as a formula begins with an apostrophe; take one away to
have it back.

## Load

Run inside this folder.

```python
import glob
import json
import pandas as pd
import torchvision, webdataset
from safetensors import safe_open

images = torchvision.datasets.ImageFolder("training_set/images")  # numbers folders by alphabet:
manifest = pd.read_csv("training_set/manifest.csv", keep_default_na=False)  # the classifier's numbers are here

shards = sorted(glob.glob("training_set/shards/*.tar"))
samples = webdataset.WebDataset(shards, shardshuffle=False).decode("pil").to_tuple("png;jpg", "cls", "txt")

with safe_open("classifier.safetensors", framework="pt") as file:
    about = json.loads(file.metadata()["classifier"])  # class_names, image_size, preprocessing
```

## Classify images

```
python -m retrieval_vs_diffusion.classify classifier.safetensors FOLDER{clip}
```

or `kedro classify` with the same arguments in the project.{probe}
"""

_PROBE = """ It is a linear probe on the embeddings of the CLIP model `{name}`; CLIP_FOLDER is that
model's folder, which keeps its name."""
