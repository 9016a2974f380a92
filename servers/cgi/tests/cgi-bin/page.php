<?php
// A page in PHP: what PHP makes of the request.
header('X-Made-By: php');
setcookie('seen', 'yes');
if (isset($_GET['missing'])) {
    http_response_code(404);
}
echo json_encode([
    'get' => $_GET,
    'post' => $_POST,
    'files' => array_map(fn ($file) => [$file['name'], $file['size'], md5_file($file['tmp_name'])], $_FILES),
    'script' => $_SERVER['SCRIPT_NAME'],
    'path_info' => $_SERVER['PATH_INFO'] ?? null,
    'self' => $_SERVER['PHP_SELF'],
    'argv' => $_SERVER['argv'] ?? null,
]);
