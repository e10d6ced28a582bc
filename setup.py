"""Maps the three root folders into the package, so that a checkout without links builds too."""

from setuptools import find_packages, setup

FOLDERS = ("agents", "wrappers", "conformance")

packages = [
    "safer_gym",
    *(
        f"safer_gym.{p}"
        for p in find_packages(
            "safer_gym",
            exclude=[pattern for folder in FOLDERS for pattern in (folder, f"{folder}.*")],
        )
    ),
]
package_dir = {"safer_gym": "safer_gym"}
for folder in FOLDERS:
    packages += [f"safer_gym.{folder}", *(f"safer_gym.{folder}.{p}" for p in find_packages(folder))]
    package_dir[f"safer_gym.{folder}"] = folder

# Data, not code: setuptools counts every folder with a name that could be imported as a package.
packages.append("safer_gym.zoo")

setup(
    packages=packages,
    package_dir=package_dir,
    package_data={
        "safer_gym": ["py.typed"],
        "safer_gym.zoo": ["**/*"],
        "safer_gym.conformance.report.templates": ["*.html", "*.css", "*.svg"],
        "safer_gym.conformance.certificate.schema": ["*.json"],
    },
)
